"""The body of a request as one strict JSON object. Knows no fields: they are the dialects' affair.

Stricter than RFC 8259 where parsers differ, so that what was checked is what is used.
"""

import asyncio
import json
import math
import re
from itertools import chain
from typing import Any

from starlette.requests import Request

from server.errors import BodyTooLarge, InvalidJson, UnsupportedMediaType

MAX_DEPTH = 64
MAX_INTEGER_DIGITS = 19
MAX_SEPARATORS = 500_000
"""Commas and opening brackets, those in texts included: no prompt that fits a context has as many.

Millions of empty arrays would keep the interpreter's lock, and so the event loop, for seconds.
"""
INLINE_BYTES = 64 * 1024
"""Bodies up to this size are parsed on the event loop: it takes less than handing them over."""

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


async def read_json_object(request: Request, max_body_bytes: int) -> dict[str, Any]:
    """Read and parse the whole body.

    Raises:
        UnsupportedMediaType: it is not plain `application/json`.
        BodyTooLarge: it is longer than allowed; raised as soon as that is known.
        InvalidJson: it is not one JSON object, or is ambiguous between parsers.
    """
    _check_headers(request)
    body = await _read(request, max_body_bytes)
    if len(body) <= INLINE_BYTES:
        return parse_json_object(body)
    return await asyncio.to_thread(parse_json_object, body)


def _check_headers(request: Request) -> None:
    """A browser can send other content types to another origin unasked, so only JSON is taken."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Content-Type must be application/json")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Content-Encoding is not supported: send the body as it is")


async def _read(request: Request, max_body_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_body_bytes:
        raise BodyTooLarge(f"The body is larger than {max_body_bytes} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_body_bytes:
            raise BodyTooLarge(f"The body is larger than {max_body_bytes} bytes")
    return bytes(body)


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Parse strictly: UTF-8, no duplicate keys, finite numbers, bounded depth and integers.

    Raises:
        InvalidJson
    """
    if sum(body.count(separator) for separator in b",[{") > MAX_SEPARATORS:
        raise InvalidJson(f"The body has more than {MAX_SEPARATORS} commas and brackets")
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
        if _SURROGATE_ESCAPE.search(body):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise InvalidJson("The body is not valid UTF-8") from None
    except UnicodeEncodeError:
        raise InvalidJson("The body has half of a surrogate pair in a string") from None
    except RecursionError:
        raise InvalidJson(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise InvalidJson(f"The body is not valid JSON at character {error.pos}") from None
    if not isinstance(value, dict):
        raise InvalidJson("The body must be a JSON object")
    if not _is_shallow(value):
        raise InvalidJson(_TOO_DEEP)
    return value


_TOO_DEEP = f"The body is nested deeper than {MAX_DEPTH} levels"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InvalidJson("The body has an object with a duplicate key")
    return value


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise InvalidJson(f"The body has an integer of more than {MAX_INTEGER_DIGITS} digits")
    return int(digits)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidJson("The body has a number that is too large")
    return number


def _constant(name: str) -> float:
    raise InvalidJson(f"The body has {name}, which is not JSON")


def _is_shallow(value: dict[str, Any]) -> bool:
    """Whether containers are at most MAX_DEPTH deep. Level by level, without recursion."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        children = chain.from_iterable(
            item.values() if isinstance(item, dict) else item for item in level
        )
        level = [child for child in children if isinstance(child, dict | list)]
        if not level:
            return True
    return False
