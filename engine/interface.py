"""The engine as the HTTP layer sees it: submit ids, iterate events, cancel, ask how it is doing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from engine.request import GenerationEvent, GenerationRequest


class EngineState(StrEnum):
    LOADING = "loading"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What the worker loaded. Byte counts are resident memory of the worker."""

    dtype: str
    device: str
    num_parameters: int
    weight_bytes: int
    state_bytes: int
    context_length: int
    vocab_size: int
    num_slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """A moment's load. `free_slots` and `free_pages` return to their totals when idle.

    The seconds are totals since the worker's start: of whole steps, and of the parts of them spent
    in the network, in the sampler and in waiting for what grammars allow or force; the rest is
    Python and messages. Waiting for work counts nowhere. `grammar_seconds` is processor time that
    grammars took, in processes of their own.
    """

    running: int
    waiting: int
    free_slots: int
    total_slots: int
    free_pages: int
    total_pages: int
    preemptions: int
    steps: int
    late_messages: int
    forward_seconds: float = 0.0
    sampling_seconds: float = 0.0
    mask_seconds: float = 0.0
    step_seconds: float = 0.0
    grammar_seconds: float = 0.0


class Generation(Protocol):
    """A submitted request. Iterate it once; it ends when all choices have, or raises EngineError.

    `cancel` may be called at any time, also after the end and more than once.
    """

    def __aiter__(self) -> AsyncIterator[GenerationEvent]: ...

    def cancel(self) -> None: ...


class Engine(Protocol):
    """A running model. All methods are called from one event loop."""

    @property
    def state(self) -> EngineState: ...

    @property
    def load_progress(self) -> float:
        """0 to 1: the share of the weights read so far while LOADING or RESTARTING; 1 if READY."""
        ...

    @property
    def info(self) -> EngineInfo | None:
        """None until the first load has finished."""
        ...

    @property
    def stats(self) -> EngineStats: ...

    def submit(self, request: GenerationRequest) -> Generation:
        """Queue a request.

        Raises:
            QueueFull: the waiting room is full (count or prompt tokens).
            EngineUnavailable: not READY.
            InvalidRequest: the prompt is empty, has ids out of range, or does not fit the context.
        """
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...
