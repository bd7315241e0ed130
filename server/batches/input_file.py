"""The input file of a batch: JSON lines, each with one request. Knows no endpoint's fields."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.batches.record import LineError
from server.errors import InvalidJson, shown
from server.json_body import parse_json_object

MAX_LINES = 50_000
MAX_ERRORS = 32
"""Named in a refusal; reading ends there."""
MAX_CUSTOM_ID_LENGTH = 512


@dataclass(frozen=True, slots=True)
class RawLine:
    """`number` counts from 1, blank lines included, though they are skipped."""

    number: int
    content: bytes


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One request: `body` is what its endpoint is to get."""

    number: int
    custom_id: str
    body: dict[str, Any]


async def raw_lines(content: AsyncIterable[bytes], max_bytes: int) -> AsyncIterator[list[RawLine]]:
    """The lines that are not blank, as many at a time as came together.

    What a line has beyond `max_bytes` and one is dropped, so that memory stays bounded.
    """
    number, rest = 0, b""
    async for chunk in content:
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[: max_bytes + 1]
        lines = [RawLine(number + index, line) for index, line in enumerate(whole, 1)]
        number += len(whole)
        yield [line for line in lines if line.content.strip()]
    if rest.strip():
        yield [RawLine(number + 1, rest)]


def parse_line(line: RawLine, endpoint: str, max_bytes: int) -> BatchLine | LineError:
    """The request on a line, or what is wrong with it."""
    if len(line.content) > max_bytes:
        message = f"The line is longer than {max_bytes} bytes"
        return LineError(code="line_too_long", message=message, line=line.number)
    try:
        value = parse_json_object(line.content)
    except InvalidJson as error:
        message = f"This line is not a JSON object: {error}"
        return LineError(code="invalid_json_line", message=message, line=line.number)
    for name, kind in (("custom_id", str), ("method", str), ("url", str), ("body", dict)):
        if not isinstance(value.get(name), kind):
            return _refusal(
                line, name, "missing_required_parameter", "is missing or of a wrong type"
            )
    if not 0 < len(value["custom_id"]) <= MAX_CUSTOM_ID_LENGTH:
        words = f"must have 1 to {MAX_CUSTOM_ID_LENGTH} characters"
        return _refusal(line, "custom_id", "invalid_custom_id", words)
    if value["method"] != "POST":
        return _refusal(line, "method", "invalid_method", "must be POST")
    if value["url"] != endpoint:
        return _refusal(line, "url", "invalid_url", f"must be the batch's endpoint, {endpoint}")
    return BatchLine(line.number, value["custom_id"], value["body"])


def _refusal(line: RawLine, param: str, code: str, words: str) -> LineError:
    return LineError(code=code, message=f"{param} {words}", line=line.number, param=param)


@dataclass(slots=True)
class InputCheck:
    """What reading a whole input file has brought to light."""

    total: int = 0
    model: str | None = None
    errors: list[LineError] = field(default_factory=list)

    @property
    def is_settled(self) -> bool:
        """Further lines would change nothing."""
        return len(self.errors) >= MAX_ERRORS or self.total > MAX_LINES


async def check_input(
    content: AsyncIterable[bytes], endpoint: str, max_bytes: int, model_names: Collection[str]
) -> InputCheck:
    """Read all lines, off the event loop: their form, their ids, and the models they ask for."""
    check = InputCheck()
    seen: set[str] = set()
    async for lines in raw_lines(content, max_bytes):
        parsed = await asyncio.to_thread(_parse_all, lines, endpoint, max_bytes)
        for line in parsed:
            check.total += 1
            error = line if isinstance(line, LineError) else _misfit(line, seen, model_names)
            if error is not None:
                check.errors.append(error)
            elif isinstance(line, BatchLine):
                check.model = check.model or line.body["model"]
        if check.is_settled:
            break
    if check.total > MAX_LINES:
        message = f"The file has more than {MAX_LINES} requests"
        check.errors.insert(0, LineError(code="too_many_tasks", message=message))
    if check.total == 0:
        check.errors.append(LineError(code="empty_file", message="The file has no requests"))
    del check.errors[MAX_ERRORS:]
    return check


def _parse_all(
    lines: Sequence[RawLine], endpoint: str, max_bytes: int
) -> list[BatchLine | LineError]:
    return [parse_line(line, endpoint, max_bytes) for line in lines]


def _misfit(line: BatchLine, seen: set[str], model_names: Collection[str]) -> LineError | None:
    """What is wrong with a line beside the other lines, or on this server."""
    model = line.body.get("model")
    if line.custom_id in seen:
        message = f"custom_id {shown(line.custom_id)} was already used on another line"
        return LineError(
            code="duplicate_custom_id", message=message, line=line.number, param="custom_id"
        )
    seen.add(line.custom_id)
    if model not in model_names:
        message = "The model that this line asks for does not exist"
        return LineError(
            code="model_not_found", message=message, line=line.number, param="body.model"
        )
    return None
