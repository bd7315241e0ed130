"""The blocks of a reply while they come: the events of each, and what it is in the end."""

import json
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


class TextPart:
    """A block of text. `index` counts the blocks of a reply that were told of."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._text: list[str] = []

    def opening(self) -> Json:
        return _started(self._index, _text_block(""))

    def add(self, text: str) -> Json:
        self._text.append(text)
        return _delta(self._index, {"type": "text_delta", "text": text})

    def closing(self) -> Iterator[Json]:
        yield _stopped(self._index)

    def whole(self) -> Json:
        return _text_block("".join(self._text))


class CallPart:
    """A call of a tool. Its input is told piece by piece once it has been opened."""

    def __init__(self, call_id: str, name: str) -> None:
        self._index: int | None = None
        self._id = call_id
        self._name = name
        self._arguments: list[str] = []

    @property
    def is_told(self) -> bool:
        return self._index is not None

    def opening(self, index: int) -> Iterator[Json]:
        """It begins, with what there is of its input so far."""
        self._index = index
        yield _started(index, self._block({}))
        if self._arguments:
            yield _input_delta(index, "".join(self._arguments))

    def add(self, arguments: str) -> Iterator[Json]:
        self._arguments.append(arguments)
        if self._index is not None and arguments:
            yield _input_delta(self._index, arguments)

    def closing(self) -> Iterator[Json]:
        if self._index is not None:
            yield _stopped(self._index)

    def whole(self) -> Json:
        return self._block(json.loads("".join(self._arguments)))

    def _block(self, arguments: Json) -> Json:
        return {
            "type": "tool_use",
            "id": self._id,
            "name": self._name,
            "input": arguments,
            "caller": {"type": "direct"},
        }


def _text_block(text: str) -> Json:
    return {"type": "text", "text": text, "citations": None}


def _started(index: int, block: Json) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, delta: Json) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _input_delta(index: int, text: str) -> Json:
    return _delta(index, {"type": "input_json_delta", "partial_json": text})


def _stopped(index: int) -> Json:
    return {"type": "content_block_stop", "index": index}
