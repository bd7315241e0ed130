"""Splits the text of one choice into content and tool calls, in whatever pieces it comes.

Holds back half tags, and never loses text: what turns out to be no call is content, tags included.
"""

import secrets
from dataclasses import dataclass

from server.events import (
    ContentEvent,
    TextDelta,
    ToolCallArguments,
    ToolCallBroken,
    ToolCallStarted,
)
from server.tool_call import CallState, ToolCallReader

OPENING_TAG, CLOSING_TAG = "<tool_call>", "</tool_call>"


_Read = tuple[int, list[ContentEvent]]
"""How many characters have been read, and what they say."""


@dataclass(frozen=True, slots=True)
class Split:
    """An event without its tokens. `end` counts the characters of the choice settled by then."""

    event: ContentEvent
    end: int


class ToolSplitter:
    """Granite's own form: content, then calls as `<tool_call>JSON</tool_call>`.

    The chat template puts one line break between content and the first call, and between calls:
    it belongs to neither. Space after a call is dropped if no other text follows; other text after
    a call is content. A closing tag may be missing. With `only_one`, whatever follows the first
    whole call is dropped.
    """

    def __init__(self, choice: int, *, only_one: bool) -> None:
        self._choice = choice
        self._only_one = only_one
        self._num_settled = 0
        self._held = ""
        self._reader: ToolCallReader | None = None
        self._written: list[str] = []  # all of the open call, from the space before its tag on
        self._is_told = False
        self._num_told = 0
        self._follows_call = False
        self._may_close = False
        self.num_calls = 0
        """Whole calls so far."""

    @property
    def is_done(self) -> bool:
        return self._only_one and self.num_calls > 0

    def feed(self, text: str) -> list[Split]:
        """Take the next piece of text; return what is certain now."""
        text, self._held = self._held + text, ""
        splits: list[Split] = []
        while text and not self.is_done:
            read = self._read(text)
            if read is None:
                self._held = text
                break
            splits += self._settled(*read)
            text = text[read[0] :]
        return splits

    def finish(self) -> list[Split]:
        """The text is complete: return what is left."""
        text, self._held = self._held, ""
        if self._reader is not None:
            self._reader.finish()
            return self._settled(0, self._events_of(self._reader))
        rest = text.strip()
        if self._follows_call and (not rest or self._is_closing(rest)):
            return self._settled(len(text), [])
        return self._settled(len(text), [TextDelta(self._choice, text)] if text else [])

    def _settled(self, num_read: int, events: list[ContentEvent]) -> list[Split]:
        self._num_settled += num_read
        return [Split(event, self._num_settled) for event in events]

    def _read(self, text: str) -> _Read | None:
        """Read a part of the text; None if more of it is needed to decide."""
        if self._reader is not None:
            return self._read_call(self._reader, text)
        return self._read_gap(text) if self._follows_call else self._read_content(text)

    def _read_content(self, text: str) -> _Read | None:
        tag = text.find(OPENING_TAG)
        if tag < 0:
            gap = len(text) - _possible_beginning(text)
        else:
            gap = tag - 1 if text[:tag].endswith("\n") else tag
        if gap:
            return gap, [TextDelta(self._choice, text[:gap])]
        return None if tag < 0 else self._open_call(text[: tag + len(OPENING_TAG)])

    def _read_gap(self, text: str) -> _Read | None:
        """After a call: its closing tag, then perhaps another call."""
        rest = text.lstrip()
        num_spaces = len(text) - len(rest)
        if self._may_close and rest.startswith(CLOSING_TAG):
            self._may_close = False
            return num_spaces + len(CLOSING_TAG), []
        if rest.startswith(OPENING_TAG):
            return self._open_call(text[: num_spaces + len(OPENING_TAG)])
        if OPENING_TAG.startswith(rest) or self._is_closing(rest):
            return None
        self._follows_call = False
        return 0, []

    def _is_closing(self, text: str) -> bool:
        return self._may_close and CLOSING_TAG.startswith(text)

    def _open_call(self, written: str) -> _Read:
        self._reader, self._written, self._is_told = ToolCallReader(), [written], False
        return len(written), []

    def _read_call(self, reader: ToolCallReader, text: str) -> _Read:
        num_read = reader.feed(text, 0)
        self._written.append(text[:num_read])
        return num_read, self._events_of(reader)

    def _events_of(self, reader: ToolCallReader) -> list[ContentEvent]:
        """What is new about the open call. It is told before it breaks, however it was split."""
        events: list[ContentEvent] = []
        if reader.is_certain and not self._is_told:
            name = reader.name or ""
            self._is_told = True
            events.append(ToolCallStarted(self._choice, self._num_told, _new_id(), name))
            self._num_told += 1
        index = self._num_told - 1
        if self._is_told and (arguments := reader.take_arguments()):
            events.append(ToolCallArguments(self._choice, index, arguments))
        if reader.state is CallState.BROKEN:
            written = "".join(self._written)
            events.append(
                ToolCallBroken(self._choice, index, written)
                if self._is_told
                else TextDelta(self._choice, written)
            )
        if reader.state is not CallState.OPEN:
            is_whole = reader.state is CallState.WHOLE
            self.num_calls += is_whole
            self._follows_call = self._may_close = is_whole
            self._reader = None
        return events


def _possible_beginning(text: str) -> int:
    """Length of the end of `text` that may turn out to belong to a tag or to go before one."""
    for length in range(min(len(text), len(OPENING_TAG)), 0, -1):
        if f"\n{OPENING_TAG}".startswith(text[-length:]):
            return length
    for length in range(min(len(text), len(OPENING_TAG) - 1), 0, -1):
        if OPENING_TAG.startswith(text[-length:]):
            return length
    return 0


def _new_id() -> str:
    return secrets.token_hex(12)
