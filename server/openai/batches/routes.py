"""/v1/batches: create, list, look at and cancel. Each API key sees its own batches only."""

import secrets
import time

from starlette.requests import Request
from starlette.responses import JSONResponse

from server.batches.record import BatchRecord, InvalidTransition, Status
from server.batches.runner import BatchRunner
from server.errors import BadRequest, NotFound, shown
from server.openai.batches.batch_object import batch_object
from server.openai.batches.create_request import COMPLETION_WINDOW_SECONDS, CreateBatch
from server.openai.files.routes import no_such_file
from server.openai.listing import list_body, page_parameters, page_query, unknown_cursor
from server.openai.reply_shapes import BATCH, page_of
from server.openai.request_body import read_request
from server.route_notes import JSON, LOOKUP_ERRORS, STORAGE_ERRORS, Link, RouteNotes, noted
from server.security import client_of
from server.services import Services
from server.storage.page import UnknownCursor

MAX_PAGE = 100
DEFAULT_PAGE = 20


_ERRORS = (*LOOKUP_ERRORS, *STORAGE_ERRORS)


class BatchRoutes:
    def __init__(self, services: Services, runner: BatchRunner) -> None:
        self._services = services
        self._storage = services.storage
        self._runner = runner

    @noted(
        RouteNotes(
            body=(CreateBatch,),
            replies={JSON: BATCH},
            errors=_ERRORS,
            links={
                "batch": Link("/v1/batches/{batch_id}", "get", "batch_id"),
                "cancellation": Link("/v1/batches/{batch_id}/cancel", "post", "batch_id"),
            },
        )
    )
    async def create(self, request: Request) -> JSONResponse:
        parsed = await read_request(CreateBatch, request, self._services)
        asked, owner = parsed.request, client_of(request)
        file = await self._storage.files.find(owner, asked.input_file_id)
        if file is None:
            raise no_such_file(asked.input_file_id, "input_file_id")
        if file.purpose != "batch":
            raise BadRequest("the input file must have the purpose 'batch'", "input_file_id")
        now = int(time.time())
        record = BatchRecord(
            id=f"batch_{secrets.token_hex(16)}",
            owner=owner,
            endpoint=asked.endpoint,
            input_file_id=file.id,
            completion_window=asked.completion_window,
            created_at=now,
            expires_at=now + COMPLETION_WINDOW_SECONDS,
            metadata=asked.metadata,
            output_seconds=asked.output_seconds,
        )
        await self._storage.batches.create(record, now + self._storage.keep_seconds)
        self._runner.notice()
        return JSONResponse(batch_object(record), headers=parsed.headers)

    @noted(
        RouteNotes(
            query=page_parameters(default_limit=DEFAULT_PAGE, max_limit=MAX_PAGE),
            replies={JSON: page_of("Batches", BATCH)},
            errors=STORAGE_ERRORS,
        )
    )
    async def list_batches(self, request: Request) -> JSONResponse:
        query = page_query(request, default_limit=DEFAULT_PAGE, max_limit=MAX_PAGE)
        try:
            page = await self._storage.batches.page(client_of(request), query)
        except UnknownCursor:
            raise unknown_cursor() from None
        data = [batch_object(record) for record in page.items]
        return JSONResponse(list_body(data, has_more=page.has_more))

    @noted(RouteNotes(replies={JSON: BATCH}, errors=_ERRORS))
    async def retrieve(self, request: Request, batch_id: str) -> JSONResponse:
        return JSONResponse(batch_object(await self._find(request, batch_id)))

    @noted(RouteNotes(replies={JSON: BATCH}, errors=_ERRORS))
    async def cancel(self, request: Request, batch_id: str) -> JSONResponse:
        """The lines that are done stay done: their results are in the output file."""
        record = await self._find(request, batch_id)
        if record.status is not Status.CANCELLING:
            now = int(time.time())
            try:
                record = await self._storage.batches.change(
                    record.id, lambda current: current.entering(Status.CANCELLING, now)
                )
            except InvalidTransition as error:
                raise BadRequest(str(error), "batch_id") from None
            self._runner.stop(record.id)
        return JSONResponse(batch_object(record))

    async def _find(self, request: Request, batch_id: str) -> BatchRecord:
        record = await self._storage.batches.find(client_of(request), batch_id)
        if record is None:
            raise NotFound(f"There is no batch '{shown(batch_id)}'", "batch_id")
        return record
