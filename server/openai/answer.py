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
from server.openai.choice_format import ChoiceFormat
from server.openai.endings import ChunkWriter, whole_body
from server.openai.envelope import Identity
from server.openai.generation_fields import GenerationFields
from server.prompt import loaded_info
from server.question import Question
from server.reply_meter import ReplyMeter
from server.security import client_of
from server.services import Services
from server.sse import EventStream, data_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How the reply is to look; `fields` says whether it is streamed, and with what counts.

    `shown` picks the choices that a whole reply shows.
    """

    fields: GenerationFields
    shape: ChoiceFormat
    headers: Mapping[str, str]
    shown: Callable[[list[FoldedChoice]], list[FoldedChoice]] = list


@dataclass(frozen=True, slots=True)
class Call:
    """A body that was understood: what it asks, and how the reply is to look."""

    question: Question
    presentation: Presentation


async def answer(services: Services, request: Request, call: Call, meter: ReplyMeter) -> Response:
    """Generate, and reply in one piece or as a stream.

    Raises:
        BadRequest: a prompt does not fit, or a value does not fit this model.
        EngineError: the engine refuses, or fails before there is anything to reply.
        ClientDisconnect: nobody is left to reply to.
    """
    if call.presentation.fields.stream:
        identity, reply = await _begin(services, call, client_of(request), meter)
        return _stream(services, reply, call.presentation, identity)
    work = whole_answer(services, call, client_of(request), meter)
    body = await while_connected(request.receive, work)
    headers = dict(call.presentation.headers)
    return Response(body, media_type="application/json", headers=headers)


async def whole_answer(services: Services, call: Call, client: str, meter: ReplyMeter) -> bytes:
    """The body of the reply in one piece; to whom it goes does not matter.

    Raises:
        BadRequest: a prompt does not fit, or a value does not fit this model.
        EngineError: the engine refuses, or fails.
    """
    identity, reply = await _begin(services, call, client, meter)
    try:
        shape, shown = call.presentation.shape, call.presentation.shown
        return await whole_body(reply, shape, identity, shown)
    finally:
        reply.cancel()


async def _begin(
    services: Services, call: Call, client: str, meter: ReplyMeter
) -> tuple[Identity, Reply]:
    info = loaded_info(services.engine)
    prefix = call.presentation.shape.id_prefix
    identity = Identity.new(prefix, services.model_names[0], info)
    reply = await ask(services, call.question, request_id=identity.id, client=client, meter=meter)
    return identity, reply


def _stream(
    services: Services, reply: Reply, presentation: Presentation, identity: Identity
) -> EventStream:
    writer = ChunkWriter(
        reply,
        presentation.shape,
        identity,
        includes_usage=presentation.fields.includes_usage,
        usage_in_between=presentation.fields.counts_usage_on_every_chunk,
    )
    return EventStream(
        writer.frames(),
        error_frame=lambda error: data_frame(failure(error, services.metrics).body),
        on_close=reply.cancel,
        settings=services.settings,
        headers=presentation.headers,
    )
