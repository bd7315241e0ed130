"""Responses that are generated while nobody waits, and what those hear who follow them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from engine.errors import EngineUnavailable, QueueFull
from server.error_responses import failure
from server.events import Usage
from server.openai.responses.turn import Turn
from server.reply_meter import ReplyMeter
from server.services import Services
from server.storage.errors import StorageUnavailable

Json = dict[str, Any]

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
MAX_RUNNING = 256
MAX_ENDED = 32
"""Ended ones whose events can still be followed."""
RESTARTED = {
    "code": "server_error",
    "message": "The server was restarted before this response was complete",
}


class Job:
    """The events of one background response so far, for anybody who follows them."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.usage: Usage | None = None
        self._events: list[Json] = []
        self._has_ended = False
        self._news = asyncio.Condition()

    @property
    def num_events(self) -> int:
        return len(self._events)

    async def tell(self, events: Sequence[Json]) -> None:
        async with self._news:
            self._events += events
            self._news.notify_all()

    async def end(self) -> None:
        async with self._news:
            self._has_ended = True
            self._news.notify_all()

    async def follow(self, start: int) -> AsyncGenerator[Json]:
        """The events from number `start` on, those to come included."""
        while events := await self._events_from(start):
            for event in events:
                yield event
            start += len(events)

    async def _events_from(self, start: int) -> list[Json]:
        """Waits until there are some; none: there will be no more."""
        async with self._news:
            await self._news.wait_for(lambda: self._has_ended or start < self.num_events)
            return self._events[start:]


class BackgroundResponses:
    """Runs the jobs of all owners, each in a task of its own."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._running: dict[str, tuple[Job, asyncio.Task[None]]] = {}
        self._ended: dict[str, Job] = {}

    async def start(self, turn: Turn) -> tuple[Json, Job]:
        """Store the response and begin to work on it; returns it as it is now.

        Raises:
            QueueFull: too many are at work.
            StorageUnavailable
        """
        if len(self._running) >= MAX_RUNNING:
            raise QueueFull("too many background responses", retry_after=10)
        document = await turn.store_open()
        job = Job(turn)
        await job.tell(turn.opening())
        task = asyncio.create_task(self._run(job))
        self._running[turn.head.id] = job, task
        return document, job

    def find(self, owner: str, response_id: str) -> Job | None:
        """A job that runs, or has ended not long ago."""
        running = self._running.get(response_id)
        job = self._ended.get(response_id) if running is None else running[0]
        return job if job is not None and job.turn.owner == owner else None

    async def cancel(self, owner: str, response_id: str) -> None:
        """End a job of this owner, if it runs; what there was of its response is kept."""
        if response_id not in self._running or self.find(owner, response_id) is None:
            return
        job, task = self._running[response_id]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await job.turn.cancelled(job.usage)

    async def run(self) -> None:
        """Close what an earlier process left open, then stay until cancelled, as all jobs are."""
        try:
            while not await self._recovered():
                await asyncio.sleep(LONGEST_PAUSE_SECONDS)
            await asyncio.Event().wait()
        finally:
            tasks = [task for _, task in self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _recovered(self) -> bool:
        store = self._services.storage.responses
        try:
            for response in await store.open():
                if response.id not in self._running:
                    await store.change(response.owner, response.id, _restarted, is_open=False)
        except StorageUnavailable:  # the log has the reason
            return False
        return True

    async def _run(self, job: Job) -> None:
        response_id = job.turn.head.id
        try:
            await self._work(job)
        except Exception as error:  # nobody else would hear of it
            described = failure(error, self._services.metrics)
            await job.tell(await job.turn.failed(described, job.usage))
        finally:
            del self._running[response_id]
            self._ended[response_id] = job
            while len(self._ended) > MAX_ENDED:
                del self._ended[next(iter(self._ended))]
            await job.end()

    async def _work(self, job: Job) -> None:
        """Ask until there is a place for it; once the model has begun, errors are final."""
        pause = FIRST_PAUSE_SECONDS
        num_opening = job.num_events
        while True:
            try:
                await self._try(job)
                return
            except (QueueFull, EngineUnavailable):
                if job.num_events > num_opening:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _try(self, job: Job) -> None:
        reply = await job.turn.ask(ReplyMeter(self._services.metrics))
        try:
            async for event in job.turn.events(reply):
                job.usage = reply.usage
                await job.tell([event])
        finally:
            job.usage = reply.usage
            reply.cancel()


def _restarted(document: Json) -> Json:
    return {**document, "status": "failed", "error": RESTARTED}
