"""What one choice has to tell, token by token: its text or tool calls, then its end.

Knows no engine beyond its token events, and no dialect.
"""

from collections import deque
from dataclasses import replace

from engine.request import ChoiceEnded, FinishReason, TokenEvent
from server.events import (
    ChoiceFinished,
    ContentEvent,
    EndReason,
    TextDelta,
    ToolCallArguments,
)
from server.text_stream import ChoiceText, Piece, PlacedToken
from server.tool_splitter import Split, ToolSplitter


class ChoiceStream:
    """With a `splitter`, text that calls tools becomes tool calls.

    Tokens with log-probabilities are told beside what they spell: those of a tag beside its call.
    """

    def __init__(self, choice: int, text: ChoiceText, splitter: ToolSplitter | None) -> None:
        self._choice = choice
        self._text = text
        self._splitter = splitter
        self._num_out = 0
        self._untold: deque[tuple[PlacedToken, int]] = deque()  # (token, where its text ends)
        self._call: int | None = None  # the call that was told of last, unless text followed

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the engine need not go on; None while the choice is running."""
        return self._text.finish_reason

    @property
    def num_tokens(self) -> int:
        """Tokens generated, up to and including the one that ended the choice."""
        return self._text.num_tokens

    def feed(self, event: TokenEvent) -> list[ContentEvent]:
        """Take the next token. Once `finish_reason` is set, further tokens are dropped."""
        piece = self._text.feed(event)
        if self._splitter is not None:
            return self._split(self._splitter, piece)
        if piece.text or piece.tokens:
            return [TextDelta(self._choice, piece.text, piece.tokens)]
        return []

    def end(self, event: ChoiceEnded) -> None:
        """The choice ended without any token."""
        self._text.finish_reason = event.finish_reason

    def finished(self) -> ChoiceFinished:
        """The last event, once there is a finish reason."""
        reason = EndReason(self._text.finish_reason or FinishReason.STOP)
        has_calls = self._splitter is not None and self._splitter.num_calls > 0
        if has_calls and reason is EndReason.STOP:
            reason = EndReason.TOOL_CALLS
        text = self._text
        return ChoiceFinished(self._choice, reason, text.stop_string, text.mean_logprob)

    def _split(self, splitter: ToolSplitter, piece: Piece) -> list[ContentEvent]:
        self._num_out += len(piece.text)
        self._untold.extend(
            (token, self._num_out) for token in piece.tokens if token.event.logprob is not None
        )
        splits = splitter.feed(piece.text)
        if splitter.is_done and self._text.finish_reason is None:
            self._text.finish_reason = FinishReason.STOP
        if self._text.finish_reason is None:
            return [self._with_tokens(split) for split in splits]
        splits += splitter.finish()
        events = [self._with_tokens(split) for split in splits]
        if self._untold:
            rest: ContentEvent = TextDelta(self._choice, "")
            if self._call is not None:
                rest = ToolCallArguments(self._choice, self._call, "")
            events.append(self._with_tokens(Split(rest, self._num_out)))
        return events

    def _with_tokens(self, split: Split) -> ContentEvent:
        """The event with the tokens whose text is settled by then."""
        tokens = []
        while self._untold and self._untold[0][1] <= split.end:
            tokens.append(self._untold.popleft()[0])
        event = split.event
        self._call = event.index if isinstance(event, ToolCallArguments) else None
        return replace(event, tokens=tuple(tokens))
