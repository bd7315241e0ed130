"""Runs the open batches of all owners side by side, and takes them up again after a restart."""

import asyncio
from collections.abc import Sequence

import structlog

from engine.interface import Engine, EngineState
from server.batches.job import BatchJob, Workshop
from server.batches.record import BatchRecord
from server.storage.errors import StorageUnavailable

MAX_JOBS = 8
"""Batches worked on at the same time; their lines share the same slots in turn."""
LOOK_SECONDS = 30.0
"""Between two looks into the storage when there is no news."""
POLL_SECONDS = 0.5

_log = structlog.stdlib.get_logger("granite.batches")


class BatchRunner:
    """The storage says what there is to do; `notice` only makes the runner look at once."""

    def __init__(self, engine: Engine, workshop: Workshop) -> None:
        self._engine = engine
        self._shop = workshop
        self._jobs: dict[str, BatchJob] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    def notice(self) -> None:
        """There is a new batch."""
        self._news.set()

    def stop(self, batch_id: str) -> None:
        """A batch has been set to CANCELLING."""
        job = self._jobs.get(batch_id)
        if job is not None:
            job.stop()
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled; lines in flight are then dropped and done again some day."""
        try:
            while self._engine.state is not EngineState.READY:
                await asyncio.sleep(POLL_SECONDS)
            while True:
                self._news.clear()
                try:
                    self._begin(await self._shop.batches.open())
                except StorageUnavailable as error:
                    _log.debug("batches cannot be read", reason=str(error))
                await _wait(self._news, LOOK_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, records: Sequence[BatchRecord]) -> None:
        """Start what there is room for: of the owner with the fewest jobs, the oldest first."""
        waiting = [record for record in records if record.id not in self._jobs]
        while waiting and len(self._jobs) < MAX_JOBS:
            owners = [job.owner for job in self._jobs.values()]
            record = min(waiting, key=lambda record: owners.count(record.owner))
            waiting.remove(record)
            job = BatchJob(record, self._shop)
            self._jobs[job.id] = job
            task = asyncio.create_task(self._drive(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _drive(self, job: BatchJob) -> None:
        """A job that fails stays open in the storage, and its next turn comes with a later look."""
        try:
            await job.run()
            self._news.set()
        except* StorageUnavailable as errors:
            _log.warning(
                "a batch has to wait for the storage", batch=job.id, num=len(errors.exceptions)
            )
        except* Exception as errors:
            _log.error("a batch job failed", batch=job.id, exc_info=errors)
        finally:
            del self._jobs[job.id]


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(news.wait(), seconds)
    except TimeoutError:
        return
