"""Turns the token events of one choice into pieces of text that can be sent and never taken back.

Holds back half characters and anything that may become a stop string. Knows no HTTP and no dialect.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.request import FinishReason, TokenEvent
from server.stop_strings import StopScanner


class Decoder(Protocol):
    """Incremental detokeniser of one choice: text comes out as soon as its last byte is known."""

    def feed(self, token_id: int) -> str: ...

    def flush(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PlacedToken:
    """A token and where its text begins, in characters from the beginning of its choice."""

    event: TokenEvent
    start: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that is ready, and the tokens whose text is now out in full (at a stop: in part)."""

    text: str
    tokens: tuple[PlacedToken, ...]


class ChoiceText:
    """The text of one choice so far.

    `min_tokens` is the number of first tokens that cannot complete a stop string.
    """

    def __init__(self, decoder: Decoder, stops: Sequence[str], min_tokens: int) -> None:
        self._decoder = decoder
        self._scanner = StopScanner(stops)
        self._min_tokens = min_tokens
        self._waiting: deque[tuple[PlacedToken, int]] = deque()  # (token, characters it needs)
        self._num_decoded = 0
        self._num_sent = 0
        self._sum_logprobs = 0.0
        self._num_logprobs = 0
        self.num_tokens = 0
        """Tokens generated, up to and including the one that ended the choice."""
        self.finish_reason: FinishReason | None = None

    @property
    def stop_string(self) -> str | None:
        """The stop string that ended the choice, if one did."""
        return self._scanner.matched

    @property
    def mean_logprob(self) -> float | None:
        """Of all tokens with a log-probability so far, whether they are text or not."""
        return self._sum_logprobs / self._num_logprobs if self._num_logprobs else None

    def feed(self, event: TokenEvent) -> Piece:
        """Take the next token. Once `finish_reason` is set, further tokens are dropped."""
        if self.finish_reason is not None:
            return Piece("", ())
        self.num_tokens += 1
        if event.logprob is not None:
            self._sum_logprobs += event.logprob
            self._num_logprobs += 1
        decoded = self._decode(event)
        text = self._scanner.feed(decoded, may_stop=self.num_tokens > self._min_tokens)
        self.finish_reason = event.finish_reason
        if self._scanner.matched is not None:
            self.finish_reason = FinishReason.STOP
        elif event.finish_reason is not None:
            text += self._scanner.flush()
        self._num_sent += len(text)
        return Piece(text, self._release_tokens())

    def _decode(self, event: TokenEvent) -> str:
        start, decoded = self._num_decoded, ""
        if event.finish_reason is not FinishReason.STOP:  # the end token itself is not text
            decoded = self._decoder.feed(event.token_id)
            # A token of half a character needs the character; one without text, the next one.
            needs = start + max(1, len(decoded))
            self._waiting.append((PlacedToken(event, start), needs))
        if event.finish_reason is not None:
            decoded += self._decoder.flush()
        self._num_decoded += len(decoded)
        return decoded

    def _release_tokens(self) -> tuple[PlacedToken, ...]:
        released = []
        while self._waiting and self._is_out(*self._waiting[0]):
            released.append(self._waiting.popleft()[0])
        return tuple(released)

    def _is_out(self, token: PlacedToken, needs: int) -> bool:
        if self.finish_reason is None:
            return needs <= self._num_sent
        if self._scanner.matched is not None:
            return token.start < self._num_sent
        return True
