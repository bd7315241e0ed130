"""Measures one reply for metrics and the log: when its tokens came, and how it ended."""

import time
from collections.abc import Callable

import structlog

from engine.request import FinishReason
from server.events import Usage
from server.metrics import Metrics

_log = structlog.stdlib.get_logger("granite.reply")


class ReplyMeter:
    """Starts counting when it is made: make it when the request has arrived.

    If nobody waits for the reply, its times are not among those that show how users are served.
    """

    def __init__(self, metrics: Metrics, *, is_waited_for: bool = True) -> None:
        self._metrics = metrics
        self._is_waited_for = is_waited_for
        self._started = time.monotonic()
        self._last_token: dict[int, float] = {}
        self._on_end: list[Callable[[Usage], None]] = []
        self.seconds_to_first_token: float | None = None
        """From receipt of the request; None while there is no token."""
        self.seconds: float | None = None
        """From receipt of the request to the end of the reply; None before."""

    def on_end(self, tell: Callable[[Usage], None]) -> None:
        """Call `tell` with the final counts, once, when the reply is over."""
        self._on_end.append(tell)

    def token(self, choice: int) -> None:
        now = time.monotonic()
        if self.seconds_to_first_token is None:
            self.seconds_to_first_token = now - self._started
            if self._is_waited_for:
                self._metrics.time_to_first_token.observe(self.seconds_to_first_token)
        if choice in self._last_token and self._is_waited_for:
            self._metrics.inter_token_latency.observe(now - self._last_token[choice])
        self._last_token[choice] = now

    def choice_finished(self, reason: FinishReason) -> None:
        self._metrics.request_success.labels(reason.value).inc()

    def ended(self, usage: Usage, num_unfinished: int) -> None:
        """The reply is over, however it ended; only the first call counts.

        `num_unfinished` choices were cut off, by an error or by the client.
        """
        if self.seconds is not None:
            return
        self.seconds = time.monotonic() - self._started
        self._metrics.prompt_tokens.inc(usage.prompt_tokens)
        self._metrics.cached_tokens.inc(usage.cached_tokens)
        self._metrics.generation_tokens.inc(usage.completion_tokens)
        if self._is_waited_for:
            self._metrics.e2e_request_latency.observe(self.seconds)
        _log.info(
            "reply",
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            unfinished_choices=num_unfinished,
            seconds=round(self.seconds, 4),
        )
        for tell in self._on_end:
            tell(usage)
