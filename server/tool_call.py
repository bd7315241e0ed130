"""Reads one tool call in Granite's form, `{"name": ..., "arguments": {...}}`, as it is written.

Knows no tags, and nothing of what was said before or after.
"""

import json
from enum import Enum, auto
from typing import Any

from server.json_value import JsonValue

_NAME, _ARGUMENTS = "name", "arguments"


class CallState(Enum):
    OPEN = auto()
    WHOLE = auto()
    BROKEN = auto()


class _Expect(Enum):
    OBJECT = auto()
    KEY = auto()
    COLON = auto()
    VALUE = auto()
    MORE = auto()


class ToolCallReader:
    """Feed it text until `state` is no longer OPEN.

    A call is an object with a name and at most arguments, in any order. The arguments are an
    object, or (a habit of the model) an object written as a string; without any they are `{}`.
    The last brace may be missing if all else is there.
    """

    def __init__(self) -> None:
        self.state = CallState.OPEN
        self.name: str | None = None
        self._expect = _Expect.OBJECT
        self._value: JsonValue | None = None
        self._key = ""
        self._seen: set[str] = set()
        self._streams = False
        self._begun = False
        self._untold: list[str] = []

    @property
    def is_certain(self) -> bool:
        """The name is known and the arguments have begun, so that this can be told as a call."""
        return self.name is not None and self._begun

    def take_arguments(self) -> str:
        """What has been read of the arguments, as JSON, since the last time."""
        told = "".join(self._untold)
        self._untold.clear()
        return told

    def feed(self, text: str, start: int) -> int:
        """Read `text[start:]`; return where the call ended or broke, else the end of the text."""
        position = start
        while position < len(text) and self.state is CallState.OPEN:
            character = text[position]
            if self._value is not None:
                position = self._read_value(self._value, text, position)
            elif character.isspace():
                position += 1
            elif character == "<" and self._lacks_only_the_brace():
                self._close()
            else:
                position += self._step(character)
        return position

    def finish(self) -> None:
        """No text follows: decide."""
        if self.state is CallState.OPEN and self._lacks_only_the_brace():
            self._close()
        elif self.state is CallState.OPEN:
            self.state = CallState.BROKEN

    def _lacks_only_the_brace(self) -> bool:
        return self._expect is _Expect.MORE and self._seen == {_NAME, _ARGUMENTS}

    def _step(self, character: str) -> int:
        """Take one character between the values; return 0 if it belongs to the next value."""
        match self._expect, character:
            case (_Expect.OBJECT, "{") | (_Expect.MORE, ","):
                self._expect = _Expect.KEY
            case _Expect.COLON, ":":
                self._expect = _Expect.VALUE
            case _Expect.MORE, "}":
                self._close()
            case (_Expect.KEY, '"') | (_Expect.VALUE, _):
                self._value = JsonValue()
                self._streams = self._expect is _Expect.VALUE and character == "{"
                return 0
            case _:
                self.state = CallState.BROKEN
        return 1

    def _read_value(self, value: JsonValue, text: str, start: int) -> int:
        end = value.feed(text, start)
        if self._streams and self._key == _ARGUMENTS:
            self._tell(text[start:end])
        if value.is_too_deep:
            self.state = CallState.BROKEN
        elif value.is_complete:
            self._value = None
            self._take(value)
        return end

    def _take(self, value: JsonValue) -> None:
        """A key or a value is complete."""
        try:
            parsed = value.parsed()
        except ValueError:
            self.state = CallState.BROKEN
            return
        if self._expect is _Expect.KEY:
            is_fine = self._take_key(parsed)
        elif self._key == _NAME:
            is_fine = self._take_name(parsed)
        else:
            is_fine = self._take_arguments(parsed)
        if not is_fine:
            self.state = CallState.BROKEN

    def _take_key(self, key: str) -> bool:
        self._expect, self._key = _Expect.COLON, key
        is_new = key in (_NAME, _ARGUMENTS) and key not in self._seen
        self._seen.add(key)
        return is_new

    def _take_name(self, name: Any) -> bool:
        self._expect = _Expect.MORE
        if not (isinstance(name, str) and name and _is_text(name)):
            return False
        self.name = name
        return True

    def _take_arguments(self, arguments: Any) -> bool:
        self._expect = _Expect.MORE
        if isinstance(arguments, str) and _is_object(arguments):
            self._tell(arguments)
        elif arguments is None:
            self._tell("{}")
        return self._begun

    def _tell(self, arguments: str) -> None:
        self._begun = True
        self._untold.append(arguments)

    def _close(self) -> None:
        if self.name is None:
            self.state = CallState.BROKEN
            return
        if not self._begun:
            self._tell("{}")
        self.state = CallState.WHOLE


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict) and _is_text(text)
    except (ValueError, RecursionError):
        return False


def _is_text(text: str) -> bool:
    """A lone surrogate, which JSON can spell, is not text: nobody could send it on."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
