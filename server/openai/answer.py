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


async def answer(
    services: Services,
    request: Request,
    question: Question,
    presentation: Presentation,
    meter: ReplyMeter,
) -> Response:
    """Generate, and reply in one piece or as a stream.

    Raises:
        BadRequest: a prompt does not fit, or a value does not fit this model.
        EngineError: the engine refuses, or fails before there is anything to reply.
        ClientDisconnect: nobody is left to reply to.
    """
    info = loaded_info(services.engine)
    shape = presentation.shape
    identity = Identity.new(shape.id_prefix, services.model_names[0], info)
    reply = await ask(
        services, question, request_id=identity.id, client=client_of(request), meter=meter
    )
    if presentation.fields.stream:
        return _stream(services, reply, presentation, identity)
    try:
        work = whole_body(reply, shape, identity, presentation.shown)
        body = await while_connected(request.receive, work)
    finally:
        reply.cancel()
    return Response(body, media_type="application/json", headers=dict(presentation.headers))


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
