"""POST /ai/run/{model}: one text, a batch of them, or a look at a batch that was begun before."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engine.errors import QueueFull
from server.cloudflare.batch import BatchDoer, polled
from server.cloudflare.batch_request import BatchPoll, BatchRequest, check_items, check_single
from server.cloudflare.envelope import succeeded
from server.cloudflare.generating import Task, stream, whole_result
from server.cloudflare.messages_request import MessagesRequest
from server.cloudflare.model_name import served_name
from server.cloudflare.prompt_request import PromptRequest
from server.cloudflare.reply_shapes import ERROR, RESULT
from server.disconnect import while_connected
from server.errors import BadRequest, InvalidJson, NotFound, shown
from server.jobs.job import Job, Lifetime
from server.jobs.store import JobStore
from server.json_body import read_json_object
from server.json_shapes import STRING, told
from server.openai.reply_shapes import EVENT
from server.openai.request_body import check_body
from server.reply_meter import ReplyMeter
from server.route_notes import EVENTS, JSON, LOOKUP_ERRORS, MODEL_ERRORS, RouteNotes, noted
from server.security import client_of
from server.services import Services
from server.template_view import num_characters

KEPT_SECONDS = 3600.0
TOTAL_SECONDS = 24 * 3600.0


_RUN = RouteNotes(
    body=(PromptRequest, MessagesRequest, BatchRequest, BatchPoll),
    query={
        "queueRequest": told(STRING, "`true`: `requests` are done later"),
        "rejectIfBusy": told(STRING, "`true`: refuse instead of waiting for a free slot"),
    },
    replies={JSON: RESULT, EVENTS: EVENT},
    errors=(*MODEL_ERRORS, *LOOKUP_ERRORS, InvalidJson),
    others={405: ERROR},
)


class RunRoutes:
    """Any account is this server; whose a batch is, its API key says."""

    def __init__(self, services: Services, store: JobStore) -> None:
        self._services = services
        self._store = store
        self._batches = BatchDoer(services)

    @noted(_RUN)
    async def run(self, request: Request, model: str) -> Response:
        meter = ReplyMeter(self._services.metrics)
        body = await read_json_object(request, self._services.settings.max_body_bytes)
        options = _options_that_are_on(request, body.pop("options", None))
        plain = served_name(model, self._services)
        if body.get("model") is not None:  # beside the one in the path
            body["model"] = served_name(str(body["model"]), self._services)
            if body["model"] != plain:
                raise BadRequest("model is not the one of the path", "model")
        if "request_id" in body:
            return self._poll(request, body, model)
        if "rejectIfBusy" in options:
            self._refuse_if_busy()
        is_queued = "queueRequest" in options
        if "requests" in body:
            return await self._run_batch(request, body, model, is_queued=is_queued)
        if is_queued:
            raise BadRequest("queueRequest needs requests, a list", "requests")
        return await self._run_one(request, body, model, meter)

    async def _run_one(
        self, request: Request, body: dict[str, Any], model: str, meter: ReplyMeter
    ) -> Response:
        parsed = check_single(body, self._services)
        task = Task(fields=parsed.request, model=model, client=client_of(request))
        if parsed.request.stream:
            return await stream(self._services, task, meter, parsed.headers)
        work = whole_result(self._services, task, meter)
        outcome = await while_connected(request.receive, work)
        told = succeeded(outcome.result, outcome.warnings)
        return JSONResponse(told, headers=parsed.headers)

    async def _run_batch(
        self, request: Request, body: dict[str, Any], model: str, *, is_queued: bool
    ) -> Response:
        batch = check_body(BatchRequest, body, self._services)
        items, headers = check_items(batch.request, self._services)
        headers = {**batch.headers, **headers}
        client = client_of(request)
        if not is_queued:
            work = self._batches.responses(items, model, client)
            result = await while_connected(request.receive, work)
            return JSONResponse(succeeded(result), headers=headers)
        job = Job(
            job_id=str(uuid.uuid4()),
            owner=client,
            place=served_name(model, self._services),
            input_bytes=2 * num_characters(body["requests"]),
            lifetime=Lifetime(kept=KEPT_SECONDS, total=TOTAL_SECONDS),
        )
        self._store.add(job)
        self._batches.begin(job, items, model)
        return JSONResponse(succeeded(polled(job, model)), headers=headers)

    def _poll(self, request: Request, body: dict[str, Any], model: str) -> Response:
        request_id = check_body(BatchPoll, body, self._services).request.request_id
        place = served_name(model, self._services)
        job = self._store.find(request_id, client_of(request), place)
        if job is None:
            raise NotFound(f"There is no batch {shown(request_id)}, or its result has expired")
        return JSONResponse(succeeded(polled(job, model)))

    def _refuse_if_busy(self) -> None:
        if self._services.engine.stats.free_slots == 0:
            raise QueueFull("no slot is free")


def _options_that_are_on(request: Request, in_body: Any) -> set[str]:
    """Options of the binding come in the query or in the body; others of them have no effect."""
    if not isinstance(in_body, dict | None):
        raise BadRequest("options must be an object", "options")
    in_query = request.query_params
    asked = {name for name in in_query if in_query[name].lower() in ("true", "1")}
    return asked | {name for name, value in (in_body or {}).items() if value is True}
