"""Work that goes on after its request was answered: its state, times, results. Knows no dialect."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from server.errors import ErrorReply


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


ENDED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT)


@dataclass(slots=True)
class Lifetime:
    """In seconds. A job is forgotten `kept` after its end, and `total` after its beginning."""

    kept: float
    total: float


class Job:
    """One piece of work of one owner (a fairness key), at a place that its owner chose.

    `outputs` are what it has produced so far, JSON objects in the order in which they came.
    """

    def __init__(
        self,
        *,
        job_id: str,
        owner: str,
        place: str,
        input_bytes: int,
        lifetime: Lifetime,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = job_id
        self.owner = owner
        self.place = place
        self.lifetime = lifetime
        self.num_attempts = 0
        self._clock = clock
        self._created_at = clock()
        self._input_bytes = input_bytes
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.repeat: Callable[[], Awaitable[None]] | None = None
        """Does it once more, while that may make sense."""
        self._forget_attempt()

    def _forget_attempt(self) -> None:
        self.state = JobState.QUEUED
        self.outputs: list[dict[str, Any]] = []
        self.error: ErrorReply | None = None
        self._output_bytes = 0
        self._num_taken = 0
        self._queued_at = self._clock()
        self._started_at: float | None = None
        self._ended_at: float | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def has_news(self) -> bool:
        """Whether there are outputs that nobody has taken yet."""
        return self._num_taken < len(self.outputs)

    @property
    def num_bytes(self) -> int:
        """About what it takes up: its outputs, and its input while that may be needed."""
        return self._output_bytes + (self._input_bytes if self._needs_input else 0)

    @property
    def _needs_input(self) -> bool:
        return self.repeat is not None or not self.has_ended

    @property
    def delay(self) -> float | None:
        """Seconds that it waited for its turn; None while it waits, or if it never had one."""
        return None if self._started_at is None else self._started_at - self._queued_at

    @property
    def duration(self) -> float | None:
        """Seconds that it was worked on; None before its end, or if nothing was done."""
        if self._started_at is None or self._ended_at is None:
            return None
        return self._ended_at - self._started_at

    @property
    def is_expired(self) -> bool:
        now = self._clock()
        is_forgotten = self._ended_at is not None and now - self._ended_at >= self.lifetime.kept
        return is_forgotten or now - self._created_at >= self.lifetime.total

    def keep_for(self, seconds: float) -> None:
        """Forget it so many seconds from now, whatever was said before."""
        self.lifetime = Lifetime(kept=seconds, total=self._clock() - self._created_at + seconds)

    def queue(self, repeat: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin an attempt: nothing is left of the one before. `repeat` makes another."""
        self._forget_attempt()
        self.num_attempts += 1
        self.repeat = repeat
        self._tell()

    def begin(self, work: Coroutine[Any, Any, None], release: Callable[[], None]) -> None:
        """Let `work` go on by itself; it ends the job. `release` is called after it in any case."""
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(lambda _: release())

    def started(self) -> None:
        """Its turn has come. May be called again and again."""
        if self.state is JobState.QUEUED:
            self.state = JobState.RUNNING
            self._started_at = self._clock()
            self._tell()

    def add(self, output: dict[str, Any], num_bytes: int) -> None:
        self.outputs.append(output)
        self._output_bytes += num_bytes
        self._tell()

    def end(self, state: JobState, error: ErrorReply | None = None) -> None:
        """Only the first end counts."""
        if self.has_ended:
            return
        self.state, self.error = state, error
        self._ended_at = self._clock()
        if state in (JobState.COMPLETED, JobState.CANCELLED):
            self.repeat = None
        self._tell()

    def cancel(self) -> None:
        """Stop the work, if it has not ended."""
        self.end(JobState.CANCELLED)
        if self._task is not None:
            self._task.cancel()

    async def gone(self) -> None:
        """Return when its work has really stopped."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def take_news(self) -> list[dict[str, Any]]:
        """The outputs since the last call."""
        news = self.outputs[self._num_taken :]
        self._num_taken = len(self.outputs)
        return news

    async def wait_until(self, condition: Callable[["Job"], bool], seconds: float) -> None:
        """Return when the condition holds, but after so many seconds in any case."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition(self):
                    await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
