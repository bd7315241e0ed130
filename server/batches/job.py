"""Drives one batch from whatever state it is in to its end. Knows no HTTP and no endpoint."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from http import HTTPStatus

from server.batches.input_file import BatchLine, check_input, parse_line, raw_lines
from server.batches.output import Execute, LineAnswer, answered, not_executed, output_file_id
from server.batches.record import BatchRecord, InvalidTransition, Status
from server.storage.batches import BatchStore
from server.storage.files import FileStore, NewFile

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
ATTEMPTS_AT_A_FAULT = 3
"""Of the model worker, say: this request may be what killed it."""
OUTPUT_PURPOSE = "batch_output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What all jobs share. `slots` bounds the lines that are executed at the same time."""

    files: FileStore
    batches: BatchStore
    execute: Execute
    slots: asyncio.Semaphore
    model_names: Collection[str]
    max_line_bytes: int
    keep_seconds: int


class BatchJob:
    """One batch. Everything that matters is in the storage: a job can be dropped at any point."""

    def __init__(self, record: BatchRecord, workshop: Workshop) -> None:
        self.id = record.id
        self.owner = record.owner
        self._shop = workshop
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """The batch has been set to CANCELLING; do no more lines."""
        self._stopping.set()

    async def run(self) -> None:
        """Raises StorageUnavailable, also in an exception group; call again later then."""
        record = await self._current()
        if record is not None and record.status is Status.VALIDATING:
            record = await self._validate(record)
        if record is not None and record.status is Status.IN_PROGRESS:
            record = await self._work(record)
        if record is not None and record.is_open:
            await self._close(record)

    async def _current(self) -> BatchRecord | None:
        return await self._shop.batches.find(self.owner, self.id)

    async def _enter(self, status: Status, **changes: object) -> BatchRecord | None:
        """The record in its new state, or in the one that its owner has put it into meanwhile."""
        now = int(time.time())
        try:
            return await self._shop.batches.change(
                self.id, lambda record: record.entering(status, now, **changes)
            )
        except InvalidTransition:
            return await self._current()

    async def _validate(self, record: BatchRecord) -> BatchRecord | None:
        check = await check_input(
            self._shop.files.read(record.owner, record.input_file_id),
            record.endpoint,
            self._shop.max_line_bytes,
            self._shop.model_names,
        )
        if check.errors:
            return await self._enter(Status.FAILED, errors=tuple(check.errors))
        return await self._enter(Status.IN_PROGRESS, total=check.total, model=check.model)

    async def _work(self, record: BatchRecord) -> BatchRecord | None:
        """Do lines until all are done, the owner cancels, or the completion window ends."""
        working = asyncio.ensure_future(self._do_lines(record))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(
                (working, stopping),
                timeout=max(0.0, record.expires_at - time.time()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            is_done = working.done()
            if is_done:
                working.result()
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
        if self._stopping.is_set() and not is_done:
            return await self._current()
        return await self._enter(Status.FINALIZING, is_late=not is_done)

    async def _do_lines(self, record: BatchRecord) -> None:
        done = await self._shop.batches.lines_done(record.id)
        slots = self._shop.slots
        async with asyncio.TaskGroup() as group:
            async for line in self._lines(record):
                if line.number in done:
                    continue
                await slots.acquire()
                task = group.create_task(self._do(record, line))
                task.add_done_callback(lambda _: slots.release())

    async def _do(self, record: BatchRecord, line: BatchLine) -> None:
        result = answered(line, await self._answer(record, line))
        await self._shop.batches.add_results(record.id, [result])

    async def _answer(self, record: BatchRecord, line: BatchLine) -> LineAnswer:
        """Ask until there is an answer that asking again would not change."""
        pause, num_faults = FIRST_PAUSE_SECONDS, 0
        while True:
            answer = await self._shop.execute(record.endpoint, line.body, record.owner)
            if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                num_faults += 1
                if num_faults == ATTEMPTS_AT_A_FAULT:
                    return answer
            elif answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                return answer
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _lines(self, record: BatchRecord) -> AsyncIterator[BatchLine]:
        """The requests of a file that has been checked before."""
        limit = self._shop.max_line_bytes
        content = self._shop.files.read(record.owner, record.input_file_id)
        async for lines in raw_lines(content, limit):
            for raw in lines:
                line = parse_line(raw, record.endpoint, limit)
                if isinstance(line, BatchLine):
                    yield line

    async def _close(self, record: BatchRecord) -> None:
        """Write the output files and end. May be begun again after a restart."""
        if record.is_late or record.status is Status.CANCELLING:
            record = await self._give_up_the_rest(record) or record
        ids = {
            "output_file_id": await self._write_file(record, successes=True),
            "error_file_id": await self._write_file(record, successes=False),
        }
        if record.status is Status.CANCELLING:
            await self._enter(Status.CANCELLED, **ids)
        else:
            await self._enter(Status.EXPIRED if record.is_late else Status.COMPLETED, **ids)
        await self._shop.batches.forget_results(record.id)

    async def _give_up_the_rest(self, record: BatchRecord) -> BatchRecord | None:
        done = await self._shop.batches.lines_done(record.id)
        if len(done) >= record.total:
            return record
        results = [
            not_executed(line, is_late=record.is_late)
            async for line in self._lines(record)
            if line.number not in done
        ]
        if results:
            await self._shop.batches.add_results(record.id, results)
        return await self._current()

    async def _write_file(self, record: BatchRecord, *, successes: bool) -> str | None:
        if (record.completed if successes else record.failed) == 0:
            return None
        now = int(time.time())
        file = NewFile(
            id=output_file_id(record, successes=successes),
            owner=record.owner,
            filename=f"{record.id}_{'output' if successes else 'error'}.jsonl",
            purpose=OUTPUT_PURPOSE,
            expires_at=now + (record.output_seconds or self._shop.keep_seconds),
        )
        content = self._shop.batches.outputs(record.id, successes=successes)
        await self._shop.files.create(file, content)
        return file.id
