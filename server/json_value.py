"""Finds where a JSON value ends in text that comes in pieces. Knows nothing of its meaning."""

import json
from typing import Any

MAX_DEPTH = 64
_AFTER_A_NUMBER = frozenset(",}]<")


class JsonValue:
    """One value as it is written, from its first character on.

    The end is found by brackets and quotes alone; `parsed` tells whether it is JSON at all.
    """

    def __init__(self) -> None:
        self._text: list[str] = []
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        self.is_complete = False
        self.is_too_deep = False

    @property
    def text(self) -> str:
        return "".join(self._text)

    def feed(self, text: str, start: int) -> int:
        """Take what belongs to the value from `text[start:]`; return where that ends."""
        position = start
        while position < len(text) and not self.is_complete and not self.is_too_deep:
            if self._ends_before(text[position]):
                self.is_complete = True
                break
            self._take(text[position])
            position += 1
        self._text.append(text[start:position])
        return position

    def parsed(self) -> Any:
        """Raises ValueError if the text is not strict JSON."""
        return json.loads(self.text, parse_constant=_refuse_constant)

    def _ends_before(self, character: str) -> bool:
        """Numbers and words have no last character of their own."""
        if self._depth or self._in_string:
            return False
        return character in _AFTER_A_NUMBER or character.isspace()

    def _take(self, character: str) -> None:
        if self._in_string:
            self._take_in_string(character)
        elif character == '"':
            self._in_string = True
        elif character in "{[":
            self._depth += 1
            self.is_too_deep = self._depth > MAX_DEPTH
        elif character in "}]":
            self._depth -= 1
            self.is_complete = self._depth == 0

    def _take_in_string(self, character: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif character == "\\":
            self._is_escaped = True
        elif character == '"':
            self._in_string = False
            self.is_complete = self._depth == 0


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
