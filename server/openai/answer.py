"""The way of a question of the OpenAI dialect to its reply, whole or as a stream."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from server.asking import ask
from server.disconnect import while_connected
from server.error_responses import failure
from server.folding import FoldedChoice
from server.generation import Reply
from server.generation_log import Origin
from server.openai.choice_format import ChoiceFormat
from server.openai.endings import ChunkWriter, whole_body
from server.openai.envelope import Identity
from server.openai.generation_fields import GenerationFields
from server.openai.routing import routed
from server.openai.schema_warnings import warning_headers
from server.question import Question
from server.reply_meter import ReplyMeter
from server.reply_record import Label, record_at_end
from server.security import client_of
from server.services import Services
from server.sse import EventStream, comment, data_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How the reply is to look; `fields` says whether it is streamed, and with what counts.

    `shown` picks the choices that a whole reply shows. `identity` is the kind of envelope.
    """

    fields: GenerationFields
    shape: ChoiceFormat
    headers: Mapping[str, str]
    shown: Callable[[list[FoldedChoice]], list[FoldedChoice]] = list
    identity: type[Identity] = Identity


@dataclass(frozen=True, slots=True)
class Call:
    """A body that was understood: what it asks, of whom, and how the reply is to look."""

    question: Question
    presentation: Presentation
    origin: Origin = Origin()


async def answer(services: Services, request: Request, call: Call, meter: ReplyMeter) -> Response:
    """Generate, and reply in one piece or as a stream.

    Raises:
        BadRequest: a prompt does not fit, or a value does not fit this model.
        EngineError: the engine refuses, or fails before there is anything to reply.
        ClientDisconnect: nobody is left to reply to.
    """
    if call.presentation.fields.stream:
        beginning = _begin(services, call, client_of(request), meter)
        identity, reply = await while_connected(request.receive, beginning)
        return _stream(services, reply, call.presentation, identity)
    work = _whole(services, call, client_of(request), meter)
    headers, body = await while_connected(request.receive, work)
    return Response(body, media_type="application/json", headers=headers)


async def whole_answer(services: Services, call: Call, client: str, meter: ReplyMeter) -> bytes:
    """The body of the reply in one piece; to whom it goes does not matter.

    Raises:
        BadRequest: a prompt does not fit, or a value does not fit this model.
        EngineError: the engine refuses, or fails.
    """
    _, body = await _whole(services, call, client, meter)
    return body


async def _whole(
    services: Services, call: Call, client: str, meter: ReplyMeter
) -> tuple[dict[str, str], bytes]:
    """Headers and body."""
    identity, reply = await _begin(services, call, client, meter)
    try:
        shape, shown = call.presentation.shape, call.presentation.shown
        body = await whole_body(reply, shape, identity, shown)
        return _headers(call.presentation, identity, reply), body
    finally:
        reply.cancel()


async def _begin(
    services: Services, call: Call, client: str, meter: ReplyMeter
) -> tuple[Identity, Reply]:
    presentation = call.presentation
    identity = presentation.identity.new(presentation.shape.id_prefix, services)
    question = await routed(services, presentation.fields, call.question)
    reply = await ask(services, question, request_id=identity.id, client=client, meter=meter)
    label = Label(
        id=identity.id,
        created=identity.created,
        model=identity.model,
        client=client,
        is_streamed=bool(presentation.fields.stream),
        origin=call.origin,
    )
    record_at_end(services, reply, meter, label)
    return identity, reply


def _stream(
    services: Services, reply: Reply, presentation: Presentation, identity: Identity
) -> EventStream:
    writer = ChunkWriter(
        reply,
        presentation.shape,
        identity,
        includes_usage=presentation.fields.includes_usage or identity.always_counts,
        usage_in_between=presentation.fields.counts_usage_on_every_chunk,
    )
    return EventStream(
        writer.frames(),
        error_frame=lambda error: data_frame(identity.error(failure(error, services.metrics))),
        on_close=reply.cancel,
        settings=services.settings,
        headers=_headers(presentation, identity, reply),
        keep_alive=comment(identity.keep_alive),
    )


def _headers(presentation: Presentation, identity: Identity, reply: Reply) -> dict[str, str]:
    return {**presentation.headers, **identity.headers, **warning_headers(reply.warnings)}
