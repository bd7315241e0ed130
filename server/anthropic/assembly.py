"""Neutral events in, the typed events of a message stream out; keeps the content so far.

Both endings of a reply come from here: a stream sends the events, a whole reply is the message.
"""

from collections.abc import Collection, Iterator

from server.anthropic.blocks import CallPart, Json, TextPart
from server.anthropic.message_object import MessageHead, counts, end_fields, stop_reason
from server.events import (
    ChoiceFinished,
    Event,
    TextDelta,
    ToolCallArguments,
    ToolCallBroken,
    ToolCallStarted,
    Usage,
)


class Assembly:
    """The content of one reply. `eager_tools` are those whose input is told as it is written."""

    def __init__(self, head: MessageHead, eager_tools: Collection[str]) -> None:
        self._head = head
        self._eager_tools = eager_tools
        self._content: list[Json] = []
        self._num_told = 0
        self._open_text: TextPart | None = None
        self._open_call: CallPart | None = None
        self._finished: ChoiceFinished | None = None

    def opening(self, usage: Usage) -> Json:
        """What is told when the model has begun."""
        return {"type": "message_start", "message": self._head.message([], end_fields(), usage)}

    def take(self, event: Event) -> Iterator[Json]:
        match event:
            case TextDelta():
                yield from self._text(event.text)
            case ToolCallStarted():
                yield from self._begin_call(event)
            case ToolCallArguments() if self._open_call is not None:
                yield from self._open_call.add(event.text)
            case ToolCallBroken():
                yield from self._drop_call()
                yield from self._text(event.text)
            case ChoiceFinished():
                yield from self._close_call()
                yield from self._close_text()
                self._finished = event

    def ending(self, usage: Usage) -> Iterator[Json]:
        """What is told once the last event has been taken."""
        delta = self._end_fields(usage)
        yield {"type": "message_delta", "delta": delta, "usage": counts(usage), **self._head.edits}
        yield {"type": "message_stop"}

    def message(self, usage: Usage) -> Json:
        """The whole reply, once the last event has been taken."""
        message = self._head.message(self._content, self._end_fields(usage), usage)
        return {**message, **self._head.edits}

    def _end_fields(self, usage: Usage) -> Json:
        event = self._finished
        if event is None:
            return end_fields()
        return end_fields(stop_reason(event, usage, self._head.max_tokens), event.stop_string)

    def _text(self, text: str) -> Iterator[Json]:
        if not text:
            return
        yield from self._close_call()
        if self._open_text is None:
            self._open_text = TextPart(self._next_index())
            yield self._open_text.opening()
        yield self._open_text.add(text)

    def _begin_call(self, event: ToolCallStarted) -> Iterator[Json]:
        """Unless its tool is eager, text goes on until the call is known to be one."""
        yield from self._close_call()
        self._open_call = CallPart(f"toolu_{event.id}", event.name)
        if event.name in self._eager_tools:
            yield from self._close_text()
            yield from self._open_call.opening(self._next_index())

    def _drop_call(self) -> Iterator[Json]:
        """It turned out to be none. What was told of it cannot be taken back, but is no content."""
        call, self._open_call = self._open_call, None
        if call is not None and call.is_told:
            yield call.closing()

    def _close_call(self) -> Iterator[Json]:
        """The open call, if there is one, is known to be whole: it is content now."""
        call, self._open_call = self._open_call, None
        if call is None:
            return
        if not call.is_told:
            yield from self._close_text()
            yield from call.opening(self._next_index())
        yield call.closing()
        self._content.append(call.whole())

    def _close_text(self) -> Iterator[Json]:
        text, self._open_text = self._open_text, None
        if text is not None:
            yield text.closing()
            self._content.append(text.whole())

    def _next_index(self) -> int:
        self._num_told += 1
        return self._num_told - 1
