"""Whether a request may join the queue, decided before anything is sent to the worker."""

import math
from collections.abc import Collection
from typing import Protocol

from engine.errors import InvalidRequest, QueueFull
from engine.interface import EngineInfo
from engine.options import EngineOptions
from engine.request import GenerationRequest

LONGEST_RETRY_AFTER = 120
"""Clients of the OpenAI libraries give up on longer waits."""
WEIGHT_OF_NEWEST_DURATION = 0.1


class Live(Protocol):
    """A submitted generation, as far as admission is concerned."""

    @property
    def request(self) -> GenerationRequest: ...

    @property
    def num_unfinished(self) -> int:
        """Choices that have not ended."""
        ...

    @property
    def num_unstarted(self) -> int:
        """Choices of which nothing has been heard."""
        ...


def check_request(request: GenerationRequest, info: EngineInfo) -> None:
    """Refuse what the model cannot compute.

    Raises:
        InvalidRequest: no prompt, no choice, ids outside the vocabulary, or no room for one token.
    """
    ids = request.prompt_ids
    if not ids or request.num_choices < 1:
        raise InvalidRequest("a prompt needs at least one token, and a request one choice")
    sampling = request.sampling
    longest = info.context_length - min(1, sampling.max_tokens)
    if len(ids) > longest:
        raise InvalidRequest(
            f"the prompt has {len(ids)} tokens; at most {longest} fit with their reply in the"
            f" context of {info.context_length}"
        )
    biased = (token_id for token_id, _ in sampling.logit_bias)
    for token_id in (min(ids), max(ids), *biased, *sampling.stop_token_ids):
        if not 0 <= token_id < info.vocab_size:
            raise InvalidRequest(f"token id {token_id} is outside the vocabulary")


class Admission:
    """Keeps the queue bounded: in choices, and in prompt tokens that nobody has begun to read."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._mean_seconds = 1.0

    def note_duration(self, seconds: float) -> None:
        """Learn from an ended generation how long a place takes to become free."""
        self._mean_seconds += WEIGHT_OF_NEWEST_DURATION * (seconds - self._mean_seconds)

    def check_room(self, request: GenerationRequest, live: Collection[Live]) -> None:
        """All choices of the request, or none. The free slots are part of the room.

        What runs in the background takes no room from others: they go before it.

        Raises:
            QueueFull: too many choices, or too many prompt tokens, are waiting.
        """
        options = self._options
        if not request.is_background:
            live = [generation for generation in live if not generation.request.is_background]
        num_choices = sum(generation.num_unfinished for generation in live)
        if num_choices + request.num_choices > options.num_slots + options.max_queued_requests:
            raise QueueFull("too many requests are waiting", self._retry_after(num_choices))
        unread = [generation for generation in live if generation.num_unstarted]
        num_tokens = sum(len(generation.request.prompt_ids) for generation in unread)
        if unread and num_tokens + len(request.prompt_ids) > options.max_queued_tokens:
            raise QueueFull("too many prompt tokens are waiting", self._retry_after(num_choices))

    def _retry_after(self, num_choices: int) -> int:
        seconds = self._mean_seconds * num_choices / self._options.num_slots
        return max(1, min(LONGEST_RETRY_AFTER, math.ceil(seconds)))
