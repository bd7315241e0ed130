"""/v1/responses: create, look at, follow, cancel, delete, count. Each key sees its own only."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.error_responses import failure
from server.errors import BadRequest, ModelNotFound, NotFound, UnsupportedParameter, shown
from server.json_shapes import INTEGER, STRING, told
from server.openai.reply_shapes import EVENT, INPUT_TOKENS, RESPONSE, deleted
from server.openai.request_body import read_request
from server.openai.responses.answering import answer
from server.openai.responses.background import BackgroundResponses, Job
from server.openai.responses.create_request import CreateResponse, ResponsePrompt
from server.openai.responses.history import earlier_items, new_items
from server.openai.responses.turn import PROMPT_FIELD, Turn, question_of
from server.prompt import loaded_info
from server.reply_meter import ReplyMeter
from server.route_notes import (
    EVENTS,
    JSON,
    LOADING_ERRORS,
    LOOKUP_ERRORS,
    MODEL_ERRORS,
    STORAGE_ERRORS,
    Link,
    RouteNotes,
    noted,
)
from server.security import client_of
from server.services import Services
from server.sse import EventStream, event_frame
from server.storage.responses import StoredResponse

Json = dict[str, Any]


_ERRORS = (*LOOKUP_ERRORS, *STORAGE_ERRORS)
_ONE = "/v1/responses/{response_id}"
_CREATE = RouteNotes(
    body=(CreateResponse,),
    replies={JSON: RESPONSE, EVENTS: EVENT},
    errors=(*MODEL_ERRORS, *STORAGE_ERRORS),
    links={
        "response": Link(_ONE, "get", "response_id"),
        "input_items": Link(f"{_ONE}/input_items", "get", "response_id"),
        "cancellation": Link(f"{_ONE}/cancel", "post", "response_id"),
        "deletion": Link(_ONE, "delete", "response_id"),
    },
)
_RETRIEVE = RouteNotes(
    query={
        "stream": told(STRING, "`true`: the events of a background response"),
        "starting_after": told(INTEGER, "with `stream`: the number of the last event seen"),
    },
    replies={JSON: RESPONSE, EVENTS: EVENT},
    errors=_ERRORS,
)
_COUNT = RouteNotes(
    body=(ResponsePrompt,),
    replies={JSON: INPUT_TOKENS},
    errors=(ModelNotFound, *LOADING_ERRORS, *STORAGE_ERRORS),
)


class ResponseRoutes:
    def __init__(self, services: Services, background: BackgroundResponses) -> None:
        self._services = services
        self._background = background
        self._store = services.storage.responses

    @noted(_CREATE)
    async def create(self, request: Request) -> Response:
        meter = ReplyMeter(self._services.metrics)
        parsed = await read_request(CreateResponse, request, self._services)
        asked, headers = parsed.request, parsed.headers
        turn = await new_turn(self._services, asked, client_of(request))
        if asked.background:
            document, job = await self._background.start(turn)
            if asked.stream:
                return self._following(job, 0, headers)
            return JSONResponse(document, headers=headers)
        return await answer(self._services, request, turn, meter, headers)

    @noted(_COUNT)
    async def count_input(self, request: Request) -> JSONResponse:
        """The tokens that the prompt of such a response would have."""
        parsed = await read_request(ResponsePrompt, request, self._services)
        asked, owner = parsed.request, client_of(request)
        earlier = await earlier_items(self._store, owner, asked.previous_response_id)
        items = await new_items(self._store, owner, secrets.token_hex(16), asked.input)
        question = await question_of(self._services, asked, None, earlier + items)
        info = loaded_info(self._services.engine)
        ids = await self._services.encoder.encode(question.prompts[0], info, PROMPT_FIELD)
        body = {"object": "response.input_tokens", "input_tokens": len(ids)}
        return JSONResponse(body, headers=parsed.headers)

    @noted(_RETRIEVE)
    async def retrieve(self, request: Request, response_id: str) -> Response:
        stored = await self._find(request, response_id)
        if request.query_params.get("stream") not in ("true", "True", "1"):
            return JSONResponse(stored.document)
        job = self._background.find(client_of(request), response_id)
        if job is None:
            raise BadRequest("the events of this response are not kept any more", "stream")
        return self._following(job, _first_event(request), {})

    @noted(RouteNotes(replies={JSON: RESPONSE}, errors=_ERRORS))
    async def cancel(self, request: Request, response_id: str) -> JSONResponse:
        """What has ended already stays as it is, and that is no error."""
        stored = await self._find(request, response_id)
        if not stored.document["background"]:
            raise BadRequest("only a background response can be cancelled", "response_id")
        await self._background.cancel(stored.owner, response_id)
        return JSONResponse((await self._find(request, response_id)).document)

    @noted(RouteNotes(replies={JSON: deleted("DeletedResponse", "response")}, errors=_ERRORS))
    async def delete(self, request: Request, response_id: str) -> JSONResponse:
        owner = client_of(request)
        await self._background.cancel(owner, response_id)
        if not await self._store.delete(owner, response_id):
            raise no_such_response(response_id)
        return JSONResponse({"id": response_id, "object": "response", "deleted": True})

    async def _find(self, request: Request, response_id: str) -> StoredResponse:
        stored = await self._store.find(client_of(request), response_id)
        if stored is None:
            raise no_such_response(response_id)
        return stored

    def _following(self, job: Job, start: int, headers: dict[str, str]) -> EventStream:
        """A stream that can be left and taken up again; the job goes on by itself."""

        async def frames() -> AsyncGenerator[bytes]:
            async with aclosing(job.follow(start)) as events:
                async for event in events:
                    yield event_frame(event)

        return EventStream(
            frames(),
            error_frame=lambda error: event_frame(
                job.turn.fault(failure(error, self._services.metrics))
            ),
            on_close=lambda: None,
            settings=self._services.settings,
            headers=headers,
        )


async def new_turn(
    services: Services, asked: CreateResponse, owner: str, *, is_batch: bool = False
) -> Turn:
    """In a batch the response is stored only if that is asked for, and others go before it.

    Raises:
        ApiError: what it refers to is not there, or it cannot be kept as was asked.
        StorageUnavailable: it refers to stored objects, which cannot be reached.
    """
    if not services.storage.is_on:
        for field in ("store", "background"):
            if getattr(asked, field):
                raise UnsupportedParameter(field, f"{field}: the storage of this server is off")
    is_wanted = not is_batch if asked.store is None else asked.store
    is_stored = services.storage.is_on and is_wanted
    return await Turn.of(services, asked, owner, is_stored=is_stored, is_batch=is_batch)


def no_such_response(response_id: str) -> NotFound:
    return NotFound(f"There is no response '{shown(response_id)}'", "response_id")


def _first_event(request: Request) -> int:
    """The number of the first event that the client has not seen."""
    seen = request.query_params.get("starting_after")
    if seen is None:
        return 0
    if not (seen.isdecimal() and len(seen) < 10):
        raise BadRequest("starting_after must be the number of an event", "starting_after")
    return int(seen) + 1
