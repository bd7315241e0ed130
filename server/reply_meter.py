"""Measures one reply for the metrics: when its tokens came and how it ended. Knows no text."""

import time

from engine.request import FinishReason
from server.metrics import Metrics


class ReplyMeter:
    """Starts counting when it is made: make it when the request has arrived."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._started = time.monotonic()
        self._last_token: dict[int, float] = {}
        self._has_ended = False

    def token(self, choice: int) -> None:
        now = time.monotonic()
        if not self._last_token:
            self._metrics.time_to_first_token.observe(now - self._started)
        if choice in self._last_token:
            self._metrics.inter_token_latency.observe(now - self._last_token[choice])
        self._last_token[choice] = now

    def choice_finished(self, reason: FinishReason) -> None:
        self._metrics.request_success.labels(reason.value).inc()

    def ended(self, prompt_tokens: int, completion_tokens: int) -> None:
        """The reply is over, however it ended; only the first call counts."""
        if self._has_ended:
            return
        self._has_ended = True
        self._metrics.prompt_tokens.inc(prompt_tokens)
        self._metrics.generation_tokens.inc(completion_tokens)
        self._metrics.e2e_request_latency.observe(time.monotonic() - self._started)
