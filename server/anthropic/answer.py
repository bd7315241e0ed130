"""The way of one request for a message to its reply, whole or as a stream."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from pydantic_core import to_json
from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from server.access_log import request_id_of
from server.anthropic.assembly import Assembly
from server.anthropic.create_message import CreateMessage
from server.anthropic.errors import PromptTooLong, error_body
from server.anthropic.message_object import MessageHead
from server.asking import ask
from server.disconnect import while_connected
from server.error_responses import failure
from server.errors import ContextLengthExceeded
from server.generation import Reply
from server.generation_log import Origin
from server.openai.request_body import Parsed
from server.openai.schema_warnings import warning_headers
from server.reply_meter import ReplyMeter
from server.reply_record import Label, record_at_end
from server.security import client_of
from server.services import Services
from server.sse import EventStream, event_frame

FINE_GRAINED = "fine-grained-tool-streaming-"
"""The older way to ask for eager input streaming, for all tools, in the header of betas."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A reply on its way, and what it adds up to."""

    reply: Reply
    assembly: Assembly


async def answer(
    services: Services, request: Request, parsed: Parsed[CreateMessage], meter: ReplyMeter
) -> Response:
    """Generate, and reply in one piece or as a stream.

    Raises:
        BadRequest: the prompt does not fit, or a value does not fit this model.
        EngineError: the engine refuses, or fails before there is anything to reply.
        ClientDisconnect: nobody is left to reply to.
    """
    asked = parsed.request
    if asked.stream:
        beginning = _begin(services, request, asked, meter)
        begun = await while_connected(request.receive, beginning)
        return _stream(services, request, begun, parsed.headers)
    work = _whole(services, request, asked, meter)
    body, warnings = await while_connected(request.receive, work)
    return Response(
        body, media_type="application/json", headers={**parsed.headers, **warning_headers(warnings)}
    )


async def _whole(
    services: Services, request: Request, asked: CreateMessage, meter: ReplyMeter
) -> tuple[bytes, tuple[str, ...]]:
    begun = await _begin(services, request, asked, meter)
    reply, assembly = begun.reply, begun.assembly
    try:
        async with aclosing(reply.events()) as events:
            async for event in events:
                for _ in assembly.take(event):
                    pass
        return to_json(assembly.message(reply.usage)), reply.warnings
    finally:
        reply.cancel()


async def _begin(
    services: Services, request: Request, asked: CreateMessage, meter: ReplyMeter
) -> Begun:
    head = MessageHead(
        id=MessageHead.new_id(),
        model=services.model_names[0],
        max_tokens=asked.max_tokens,
        tells_edits=asked.context_management is not None,
    )
    client, created = client_of(request), int(time.time())
    try:
        question = asked.question()
        reply = await ask(services, question, request_id=head.id, client=client, meter=meter)
    except ContextLengthExceeded as error:
        raise PromptTooLong(error) from error
    label = Label(
        id=head.id,
        created=created,
        model=head.model,
        client=client,
        is_streamed=bool(asked.stream),
        origin=_origin(request, asked),
    )
    record_at_end(services, reply, meter, label)
    eager = asked.eager_tools(by_default=_is_fine_grained(request)) if asked.stream else ()
    return Begun(reply, Assembly(head, eager))


def _origin(request: Request, asked: CreateMessage) -> Origin:
    user = None if asked.metadata is None else asked.metadata.user_id
    return Origin(user_agent=request.headers.get("user-agent"), user=user)


def _is_fine_grained(request: Request) -> bool:
    betas = ",".join(request.headers.getlist("anthropic-beta")).split(",")
    return any(beta.strip().startswith(FINE_GRAINED) for beta in betas)


def _stream(
    services: Services, request: Request, begun: Begun, headers: dict[str, str]
) -> EventStream:
    request_id = request_id_of(request.scope)
    return EventStream(
        _frames(begun),
        error_frame=lambda error: event_frame(
            error_body(failure(error, services.metrics), request_id)
        ),
        on_close=begun.reply.cancel,
        settings=services.settings,
        headers={**headers, **warning_headers(begun.reply.warnings)},
        keep_alive=ServerSentEvent(event="ping", data='{"type": "ping"}', sep="\n"),
    )


async def _frames(begun: Begun) -> AsyncGenerator[bytes]:
    """Raises EngineError if the generation failed; what was yielded before stands."""
    reply, assembly = begun.reply, begun.assembly
    has_begun = False
    async with aclosing(reply.events()) as events:
        async for event in events:
            if not has_begun:
                has_begun = True
                yield event_frame(assembly.opening(reply.usage))
            for told in assembly.take(event):
                yield event_frame(told)
    for told in assembly.ending(reply.usage):
        yield event_frame(told)
