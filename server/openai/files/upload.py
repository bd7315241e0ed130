"""The form of POST /v1/files: a file of any size up to the limit, and a few short fields."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from server.errors import (
    BadRequest,
    BodyTooLarge,
    HostNotAllowed,
    UnsupportedMediaType,
    printable,
)
from server.json_shapes import Schema, always, one_of, told, whole_number
from server.storage.errors import StorageFull

PURPOSES = ("batch", "user_data")
MIN_EXPIRY_SECONDS = 3600
MAX_EXPIRY_SECONDS = 30 * 24 * 3600
MAX_FILENAME_LENGTH = 255
MAX_FIELD_BYTES = 4096
MAX_FIELDS = 8
FORM_OVERHEAD_BYTES = 64 * 1024
"""Of boundaries, headers and the other fields, beyond the file itself."""
READ_BYTES = 256 * 1024

FORM_SHAPE: Schema = {
    "type": "object",
    "properties": {
        "file": told({"type": "string", "format": "binary"}, "with a filename"),
        "purpose": one_of(*PURPOSES),
        "expires_after[anchor]": always("created_at"),
        "expires_after[seconds]": whole_number(
            MIN_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS, "after which it is deleted; with the anchor"
        ),
    },
    "required": ["file", "purpose"],
    "dependentRequired": {
        "expires_after[anchor]": ["expires_after[seconds]"],
        "expires_after[seconds]": ["expires_after[anchor]"],
    },
}

_SECONDS = re.compile("[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that has arrived whole, on disk if it is large. Without `seconds` none were asked.

    `unknown` are the names of parts of the form that nobody knows.
    """

    file: UploadFile
    filename: str
    purpose: str
    seconds: int | None
    unknown: list[str]

    async def content(self) -> AsyncIterator[bytes]:
        while piece := await self.file.read(READ_BYTES):
            yield piece


@asynccontextmanager
async def read_upload(request: Request, max_file_bytes: int) -> AsyncGenerator[Upload]:
    """Take in the form; what it takes on disk is gone at the end of the block.

    Raises:
        UnsupportedMediaType: it is not a form.
        BodyTooLarge: raised as soon as that is known.
        BadRequest: it is malformed, or a field is missing or wrong.
        StorageFull: the disk for temporary files is full.
    """
    _check_form_type(request)
    max_bytes = max_file_bytes + FORM_OVERHEAD_BYTES
    parser = MultiPartParser(
        request.headers,
        _limited(request, max_bytes),
        max_files=1,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, UnicodeDecodeError) as error:
        raise BadRequest("The form is malformed") from error
    except OSError as error:
        raise StorageFull(f"an upload could not be set aside: {error}") from error
    try:
        yield _checked(form, max_file_bytes)
    finally:
        await form.close()


def check_origin(request: Request, allowed: Collection[str]) -> None:
    """Browsers send forms to other origins unasked, unlike JSON; so these have to be allowed.

    Raises:
        HostNotAllowed
    """
    origin = request.headers.get("origin")
    if origin is None or origin in allowed or "*" in allowed:
        return
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise HostNotAllowed("Pages of other origins may not upload files")


def _check_form_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        raise UnsupportedMediaType("Content-Type must be multipart/form-data")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Content-Encoding is not supported: send the body as it is")


async def _limited(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    declared = request.headers.get("content-length", "")
    num_bytes = 0
    if declared.isdecimal() and int(declared) > max_bytes:
        raise BodyTooLarge("The file is larger than this server takes")
    async for chunk in request.stream():
        num_bytes += len(chunk)
        if num_bytes > max_bytes:
            raise BodyTooLarge("The file is larger than this server takes")
        yield chunk


def _checked(form: FormData, max_file_bytes: int) -> Upload:
    file, purpose = form.get("file"), form.get("purpose")
    if not isinstance(file, UploadFile):
        raise BadRequest("file is required: a part of the form with a filename", "file")
    if (file.size or 0) > max_file_bytes:
        raise BodyTooLarge(f"The file is larger than {max_file_bytes} bytes")
    if purpose not in PURPOSES:
        raise BadRequest(f"purpose must be one of {', '.join(PURPOSES)}", "purpose")
    unknown = [name for name in form if name not in FORM_SHAPE["properties"]]
    return Upload(file, _filename(file.filename), str(purpose), _expiry(form), unknown)


def _filename(sent: str | None) -> str:
    """The last part of whatever path the client sent, fit to be shown."""
    name = PureWindowsPath(PurePosixPath(sent or "").name).name
    return printable(name, MAX_FILENAME_LENGTH) or "file"


def _expiry(form: FormData) -> int | None:
    anchor, seconds = form.get("expires_after[anchor]"), form.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise BadRequest("expires_after.anchor must be 'created_at'", "expires_after")
    if not (isinstance(seconds, str) and _SECONDS.fullmatch(seconds)):
        raise BadRequest("expires_after.seconds must be a whole number", "expires_after")
    return check_expiry(int(seconds), "expires_after")


def check_expiry(seconds: int, param: str) -> int:
    if not MIN_EXPIRY_SECONDS <= seconds <= MAX_EXPIRY_SECONDS:
        raise BadRequest(
            f"{param}.seconds must be between {MIN_EXPIRY_SECONDS} and {MAX_EXPIRY_SECONDS}", param
        )
    return seconds
