"""One submitted request on the client's side: a bounded queue from reports to a reader."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

from engine.errors import EngineError, SlowReader
from engine.request import ChoiceEnded, GenerationEvent, GenerationRequest, TokenEvent


class WorkerGeneration:
    """Implements `engine.interface.Generation`.

    Two things end separately: the reader's view (`cancel`, an error or the last token), and the
    worker's work, of which `is_closed` tells; until then the request counts as load.
    """

    def __init__(
        self, request: GenerationRequest, capacity: int, send_cancel: Callable[[], None]
    ) -> None:
        self.request = request
        self.submitted_at = time.monotonic()
        self._capacity = capacity
        self._send_cancel = send_cancel
        self._events: deque[GenerationEvent] = deque()
        self._error: EngineError | None = None
        self._has_ended = False
        self._has_sent_cancel = False
        self._news = asyncio.Event()
        self._started_choices: set[int] = set()
        self._num_finished = 0
        self._is_closed = False

    @property
    def num_unfinished(self) -> int:
        return 0 if self._is_closed else self.request.num_choices - self._num_finished

    @property
    def num_unstarted(self) -> int:
        return 0 if self._is_closed else self.request.num_choices - len(self._started_choices)

    @property
    def is_closed(self) -> bool:
        """The worker has nothing more to say about it."""
        return self.num_unfinished == 0

    def __aiter__(self) -> AsyncIterator[GenerationEvent]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[GenerationEvent]:
        while True:
            while self._events:
                yield self._events.popleft()
            if self._error is not None:
                raise self._error
            if self._has_ended:
                return
            self._news.clear()
            await self._news.wait()

    def cancel(self) -> None:
        if not self._has_ended:
            self._events.clear()
            self._end(None)
            self._cancel_work()

    def deliver(self, event: GenerationEvent) -> None:
        """Queue an event for the reader; a reader too slow to keep up loses its generation."""
        self._started_choices.add(event.choice)
        if isinstance(event, TokenEvent | ChoiceEnded) and event.finish_reason is not None:
            self._num_finished += 1
        if self._has_ended:
            return
        if len(self._events) >= self._capacity:
            self._end(SlowReader(f"{self._capacity} events were not taken"))
            self._cancel_work()
            return
        self._events.append(event)
        if self.is_closed:
            self._end(None)
        self._news.set()

    def close(self, error: EngineError | None) -> None:
        """The worker's last word, other than a last token. Ends the reader's view too."""
        self._is_closed = True
        if not self._has_ended:
            self._end(error)

    def _end(self, error: EngineError | None) -> None:
        self._has_ended = True
        self._error = error
        self._news.set()

    def _cancel_work(self) -> None:
        if not self.is_closed and not self._has_sent_cancel:
            self._has_sent_cancel = True
            self._send_cancel()
