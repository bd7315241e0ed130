"""One item of the output while it is being written: its events, and what it is in the end."""

from collections.abc import Iterator, Sequence
from typing import Any

Json = dict[str, Any]


class MessageItem:
    """Text of the model: a message with one part."""

    def __init__(self, item_id: str, output_index: int) -> None:
        self._id = item_id
        self._place = {"item_id": item_id, "output_index": output_index}
        self._text = ""
        self._logprobs: list[Json] = []

    def opening(self) -> Iterator[Json]:
        yield _added(self._place["output_index"], self._item("in_progress", content=[]))
        yield {"type": "response.content_part.added", **self._in_part(), "part": self._part()}

    def add(self, text: str, logprobs: Sequence[Json]) -> Iterator[Json]:
        self._text += text
        self._logprobs += logprobs
        yield {
            "type": "response.output_text.delta",
            **self._in_part(),
            "delta": text,
            "logprobs": list(logprobs),
        }

    def closing(self, status: str) -> Iterator[Json]:
        yield {
            "type": "response.output_text.done",
            **self._in_part(),
            "text": self._text,
            "logprobs": self._logprobs,
        }
        yield {"type": "response.content_part.done", **self._in_part(), "part": self._part()}
        yield _done(self._place["output_index"], self.whole(status))

    def whole(self, status: str) -> Json:
        return self._item(status, content=[self._part()])

    def _item(self, status: str, *, content: list[Json]) -> Json:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _part(self) -> Json:
        return {
            "type": "output_text",
            "text": self._text,
            "annotations": [],
            "logprobs": list(self._logprobs),
        }

    def _in_part(self) -> Json:
        return {**self._place, "content_index": 0}


class CallItem:
    """A call of one of the client's functions."""

    def __init__(self, item_id: str, output_index: int, call_id: str, name: str) -> None:
        self._id = item_id
        self._place = {"item_id": item_id, "output_index": output_index}
        self._call_id = call_id
        self._name = name
        self._arguments = ""

    def opening(self) -> Iterator[Json]:
        yield _added(self._place["output_index"], self.whole("in_progress"))

    def add(self, arguments: str) -> Iterator[Json]:
        self._arguments += arguments
        yield {
            "type": "response.function_call_arguments.delta",
            **self._place,
            "delta": arguments,
        }

    def closing(self, status: str) -> Iterator[Json]:
        yield {
            "type": "response.function_call_arguments.done",
            **self._place,
            "name": self._name,
            "arguments": self._arguments,
        }
        yield _done(self._place["output_index"], self.whole(status))

    def whole(self, status: str) -> Json:
        return {
            "id": self._id,
            "type": "function_call",
            "call_id": self._call_id,
            "name": self._name,
            "arguments": self._arguments,
            "status": status,
        }


def _added(output_index: object, item: Json) -> Json:
    return {"type": "response.output_item.added", "output_index": output_index, "item": item}


def _done(output_index: object, item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": output_index, "item": item}
