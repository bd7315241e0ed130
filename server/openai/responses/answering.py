"""The two endings of a turn: a stream of its typed events, or the response in one piece."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kernels.errors import GraniteError
from server.disconnect import while_connected
from server.error_responses import failure
from server.generation import Reply
from server.openai.responses.turn import Turn
from server.openai.schema_warnings import warning_headers
from server.reply_meter import ReplyMeter
from server.services import Services
from server.sse import EventStream, event_frame

Json = dict[str, Any]


async def answer(
    services: Services,
    request: Request,
    turn: Turn,
    meter: ReplyMeter,
    headers: Mapping[str, str],
) -> Response:
    """Generate, and reply in one piece or as a stream.

    Raises:
        BadRequest: the conversation does not fit, or a value does not fit this model.
        EngineError: the engine refuses, or fails before there is anything to reply.
        ClientDisconnect: nobody is left to reply to.
    """
    if turn.head.asked.stream:
        reply = await while_connected(request.receive, turn.ask(meter))
        return _stream(services, turn, reply, {**headers, **warning_headers(turn.warnings)})
    body = await while_connected(request.receive, whole_response(turn, meter))
    return JSONResponse(body, headers={**headers, **warning_headers(turn.warnings)})


async def whole_response(turn: Turn, meter: ReplyMeter) -> Json:
    """The response in one piece.

    Raises:
        BadRequest: the conversation does not fit, or a value does not fit this model.
        EngineError: the engine refuses, or fails.
    """
    reply = await turn.ask(meter)
    try:
        async with aclosing(turn.events(reply)) as events:
            async for event in events:
                last = event
    finally:
        reply.cancel()
    response: Json = last["response"]
    return response


def _stream(
    services: Services, turn: Turn, reply: Reply, headers: Mapping[str, str]
) -> EventStream:
    return EventStream(
        _frames(services, turn, reply),
        error_frame=lambda error: event_frame(turn.fault(failure(error, services.metrics))),
        on_close=reply.cancel,
        settings=services.settings,
        headers=headers,
    )


async def _frames(services: Services, turn: Turn, reply: Reply) -> AsyncGenerator[bytes]:
    for event in turn.opening():
        yield event_frame(event)
    try:
        async with aclosing(turn.events(reply)) as events:
            async for event in events:
                yield event_frame(event)
    except GraniteError as error:
        described = failure(error, services.metrics)
        for event in await turn.failed(described, reply.usage):
            yield event_frame(event)
