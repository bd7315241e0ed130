"""Neutral events in, the typed events of the Responses API out; keeps the output so far.

Both endings of a reply come from here: a stream sends the events, a whole reply is the document.
"""

from collections.abc import Iterator, Sequence

from model_loader.tokenizer import Tokenizer
from server.errors import ErrorReply
from server.events import (
    ChoiceFinished,
    EndReason,
    Event,
    TextDelta,
    ToolCallArguments,
    ToolCallBroken,
    ToolCallStarted,
    Usage,
)
from server.openai.logprobs import chat_logprobs
from server.openai.responses.items import CallItem, Json, MessageItem
from server.openai.responses.response_object import ResponseHead
from server.text_stream import PlacedToken


class Assembly:
    """The output of one response. Every event it gives has the next sequence number."""

    def __init__(self, head: ResponseHead, tokenizer: Tokenizer) -> None:
        self.head = head
        self._tokenizer = tokenizer
        self._output: list[Json] = []
        self._num_items = 0
        self._num_events = 0
        self._open: MessageItem | CallItem | None = None
        self._is_cut = False

    def numbered(self, events: Iterator[Json]) -> Iterator[Json]:
        for event in events:
            yield {**event, "sequence_number": self._num_events}
            self._num_events += 1

    def opening(self) -> Iterator[Json]:
        """What is told before anything has come from the model."""
        if self.head.asked.background:
            return self._states("queued", ("created", "queued"))
        return self._states("in_progress", ("created", "in_progress"))

    def beginning(self) -> Iterator[Json]:
        """What is told when the model has begun, if the response had to wait for that."""
        return self._states("in_progress", ("in_progress",) if self.head.asked.background else ())

    def _states(self, status: str, kinds: Sequence[str]) -> Iterator[Json]:
        document = self.head.document(status)
        return self.numbered({"type": f"response.{kind}", "response": document} for kind in kinds)

    def take(self, event: Event) -> Iterator[Json]:
        return self.numbered(self._events_of(event))

    def finished(self, usage: Usage) -> Json:
        """The whole response, once the last event has been taken."""
        if self._is_cut:
            reason = "max_output_tokens"
            return self.head.document(
                "incomplete", self._output, usage=usage, incomplete_reason=reason
            )
        return self.head.document("completed", self._output, usage=usage)

    def broken_off(self, status: str, usage: Usage | None, error: Json | None) -> Json:
        """The response after an error or a cancellation: what there was of it."""
        items = [*self._output, *([self._open.whole("incomplete")] if self._open else [])]
        return self.head.document(status, items, usage=usage, error=error)

    def ending(self, document: Json) -> Iterator[Json]:
        """The last event: it is named after the status."""
        event = {"type": f"response.{document['status']}", "response": document}
        return self.numbered(iter([event]))

    def fault(self, error: ErrorReply) -> Json:
        """The event for an error that is not the end of a response, but of the stream."""
        detail = error.body["error"]
        told = {"code": detail["code"], "message": detail["message"], "param": detail["param"]}
        return next(self.numbered(iter([{"type": "error", **told}])))

    def _events_of(self, event: Event) -> Iterator[Json]:
        match event:
            case TextDelta():
                yield from self._text(event.text, event.tokens)
            case ToolCallStarted():
                yield from self._begin_call(event)
            case ToolCallArguments() if isinstance(self._open, CallItem):
                if event.text:
                    yield from self._open.add(event.text)
            case ToolCallBroken():
                yield from self._close("incomplete", is_output=False)
                yield from self._text(event.text, event.tokens)
            case ChoiceFinished():
                self._is_cut = event.reason is EndReason.LENGTH
                if self._num_items == 0:
                    yield from self._begin_message()
                is_cut_text = self._is_cut and isinstance(self._open, MessageItem)
                yield from self._close("incomplete" if is_cut_text else "completed")

    def _text(self, text: str, tokens: Sequence[PlacedToken]) -> Iterator[Json]:
        logprobs = self._logprobs(tokens)
        if not (text or logprobs):
            return
        if not isinstance(self._open, MessageItem):
            yield from self._begin_message()
        if isinstance(self._open, MessageItem):
            yield from self._open.add(text, logprobs)

    def _logprobs(self, tokens: Sequence[PlacedToken]) -> list[Json]:
        if self.head.asked.num_logprobs is None:
            return []
        content: list[Json] = chat_logprobs(tokens, self._tokenizer)["content"]
        return content

    def _begin_message(self) -> Iterator[Json]:
        yield from self._close("completed")
        index = self._next_index()
        self._open = MessageItem(self.head.item_id("msg", index), index)
        yield from self._open.opening()

    def _begin_call(self, event: ToolCallStarted) -> Iterator[Json]:
        yield from self._close("completed")
        index = self._next_index()
        item_id = self.head.item_id("fc", index)
        self._open = CallItem(item_id, index, f"call_{event.id}", event.name)
        yield from self._open.opening()

    def _next_index(self) -> int:
        self._num_items += 1
        return self._num_items - 1

    def _close(self, status: str, *, is_output: bool = True) -> Iterator[Json]:
        """End the open item, if there is one. A call that turned out to be none is no output."""
        if self._open is None:
            return
        item, self._open = self._open, None
        if is_output:
            self._output.append(item.whole(status))
        yield from item.closing(status)
