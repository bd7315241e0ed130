"""What a streamed reply looks like: events of Workers AI's own keys, and `[DONE]`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from server.cloudflare.result import usage_object
from server.events import (
    ChoiceFinished,
    Event,
    TextDelta,
    ToolCallArguments,
    ToolCallBroken,
    ToolCallStarted,
)
from server.generation import Reply
from server.openai.call_format import CallFormat
from server.openai.endings import DONE_FRAME
from server.sse import data_frame

_CALLS = CallFormat()


async def frames(reply: Reply) -> AsyncGenerator[bytes]:
    """Only one of the two ways to say text, as some clients would otherwise read it twice.

    Raises:
        EngineError: the generation failed; what was yielded before stands.
    """
    async with aclosing(reply.events()) as events:
        async for event in events:
            chunk = _chunk(event)
            if chunk is not None:
                yield data_frame(chunk)
            if isinstance(event, ChoiceFinished):
                reason = _CALLS.finish_reason(event.reason)
                usage = usage_object(reply.usage)
                yield data_frame({"response": "", "finish_reason": reason, "usage": usage})
    yield DONE_FRAME


def _chunk(event: Event) -> dict[str, Any] | None:
    """Calls come in OpenAI's pieces. One that broke becomes text, as in a whole reply."""
    match event:
        case ToolCallStarted():
            return {"response": "", **_CALLS.started(event)}
        case ToolCallArguments():
            return {"response": "", **_CALLS.arguments(event)} if event.text else None
        case TextDelta() | ToolCallBroken():
            return {"response": event.text} if event.text else None
        case _:
            return None
