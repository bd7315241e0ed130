"""/v1/files: upload, list, look at, read and delete. Each API key sees its own files only."""

import secrets
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from server.errors import HostNotAllowed, NotFound, shown
from server.json_shapes import STRING, told
from server.openai.files.upload import FORM_SHAPE, check_origin, read_upload
from server.openai.listing import list_body, page_parameters, page_query, unknown_cursor
from server.openai.reply_shapes import BYTES, FILE, deleted, page_of
from server.openai.request_body import naming
from server.route_notes import (
    JSON,
    LOOKUP_ERRORS,
    STORAGE_ERRORS,
    Link,
    RouteNotes,
    noted,
)
from server.security import client_of
from server.services import Services
from server.storage.files import NewFile, StoredFile
from server.storage.page import UnknownCursor

MAX_PAGE = 10_000


_LIST = RouteNotes(
    query={
        **page_parameters(default_limit=MAX_PAGE, max_limit=MAX_PAGE),
        "purpose": told(STRING, "only files of this purpose"),
    },
    replies={JSON: page_of("Files", FILE)},
    errors=STORAGE_ERRORS,
)
_ERRORS = (*LOOKUP_ERRORS, *STORAGE_ERRORS)


class FileRoutes:
    def __init__(self, services: Services) -> None:
        self._settings = services.settings
        self._store = services.storage.files
        self._keep_seconds = services.storage.keep_seconds

    @noted(
        RouteNotes(
            form=FORM_SHAPE,
            replies={JSON: FILE},
            errors=(HostNotAllowed, *STORAGE_ERRORS),
            links={
                "file": Link("/v1/files/{file_id}", "get", "file_id"),
                "content": Link("/v1/files/{file_id}/content", "get", "file_id"),
                "deletion": Link("/v1/files/{file_id}", "delete", "file_id"),
            },
        )
    )
    async def upload(self, request: Request) -> JSONResponse:
        check_origin(request, self._settings.cors_origin)
        async with read_upload(request, self._settings.max_file_bytes) as upload:
            headers = naming(upload.unknown, strict_fields=self._settings.strict_fields)
            seconds = upload.seconds
            if seconds is None and upload.purpose == "batch":
                seconds = self._keep_seconds
            new = NewFile(
                id=f"file-{secrets.token_hex(12)}",
                owner=client_of(request),
                filename=upload.filename,
                purpose=upload.purpose,
                expires_at=None if seconds is None else int(time.time()) + seconds,
            )
            file = await self._store.create(new, upload.content())
        return JSONResponse(file_object(file), headers=headers)

    @noted(_LIST)
    async def list_files(self, request: Request) -> JSONResponse:
        query = page_query(request, default_limit=MAX_PAGE, max_limit=MAX_PAGE)
        purpose = request.query_params.get("purpose")
        try:
            page = await self._store.page(client_of(request), query, purpose)
        except UnknownCursor:
            raise unknown_cursor() from None
        data = [file_object(file) for file in page.items]
        return JSONResponse(list_body(data, has_more=page.has_more))

    @noted(RouteNotes(replies={JSON: FILE}, errors=_ERRORS))
    async def retrieve(self, request: Request, file_id: str) -> JSONResponse:
        return JSONResponse(file_object(await self._find(request, file_id)))

    @noted(RouteNotes(replies={"application/octet-stream": BYTES}, errors=_ERRORS))
    async def content(self, request: Request, file_id: str) -> Response:
        file = await self._find(request, file_id)
        return StreamingResponse(
            self._store.read(client_of(request), file_id),
            media_type="application/octet-stream",
            headers={"content-length": str(file.num_bytes), "content-disposition": "attachment"},
        )

    @noted(RouteNotes(replies={JSON: deleted("DeletedFile", "file")}, errors=_ERRORS))
    async def delete(self, request: Request, file_id: str) -> JSONResponse:
        if not await self._store.delete(client_of(request), file_id):
            raise no_such_file(file_id)
        return JSONResponse({"id": file_id, "object": "file", "deleted": True})

    async def _find(self, request: Request, file_id: str) -> StoredFile:
        file = await self._store.find(client_of(request), file_id)
        if file is None:
            raise no_such_file(file_id)
        return file


def no_such_file(file_id: str, param: str = "file_id") -> NotFound:
    return NotFound(f"There is no file '{shown(file_id)}'", param)


def file_object(file: StoredFile) -> dict[str, Any]:
    """OpenAI's `FileObject`."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.num_bytes,
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }
