"""The blocks of a reply while they come: the events of each, and what it is in the end."""

import json
import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


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

    def closing(self) -> Json:
        return _stopped(self._index)

    def whole(self) -> Json:
        return _text_block("".join(self._text))


class CallPart:
    """A call of a tool. Its input is told piece by piece once it has been opened."""

    def __init__(self, call_id: str, name: str) -> None:
        self._index = -1
        self._id = call_id
        self._name = name
        self._arguments: list[str] = []

    @property
    def is_told(self) -> bool:
        return self._index >= 0

    def opening(self, index: int) -> Iterator[Json]:
        """It begins, with all of its input if that is known already."""
        self._index = index
        yield _started(index, self._block({}))
        if self._arguments:
            yield _input_delta(index, _readable("".join(self._arguments)))

    def add(self, arguments: str) -> Iterator[Json]:
        self._arguments.append(arguments)
        if self.is_told and arguments:
            yield _input_delta(self._index, arguments)

    def closing(self) -> Json:
        return _stopped(self._index)

    def whole(self) -> Json:
        return self._block(json.loads(_readable("".join(self._arguments))))

    def _block(self, arguments: Json) -> Json:
        return {
            "type": "tool_use",
            "id": self._id,
            "name": self._name,
            "input": arguments,
            "caller": {"type": "direct"},
        }


def _readable(arguments: str) -> str:
    """JSON that every parser takes: half of a surrogate pair, which only an escape spells, is none.

    The model may have written that half of a character, but not all clients can read it.
    """
    if not _SURROGATE_ESCAPE.search(arguments):
        return arguments
    text = json.dumps(json.loads(arguments), ensure_ascii=False)
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


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
