"""The runner finds its work in the storage, is fair to owners, and survives what goes wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.interface import EngineState
from server.batches import runner as runner_module
from server.batches.job import Workshop
from server.batches.record import Status
from server.batches.runner import BatchRunner
from server.storage.database import Database
from server.storage.errors import StorageUnavailable
from server.storage.storage import Storage
from tests.fakes import FakeEngine
from tests.server.batches.batches import found, jsonl, line, new_batch
from tests.server.batches.conftest import Executor
from tests.server.storage.samples import ALICE, BOB


@contextlib.asynccontextmanager
async def running(runner: BatchRunner) -> AsyncIterator[None]:
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ended(storage: Storage, batch_id: str, owner: str = ALICE) -> str:
    while (record := await found(storage, batch_id, owner)).is_open:
        await asyncio.sleep(0.01)
    return record.status.value


async def test_open_batches_are_taken_up_at_the_start_and_new_ones_at_once(
    storage: Storage, workshop: Workshop
) -> None:
    await new_batch(storage, jsonl(line(0)), "batch_1")
    runner = BatchRunner(FakeEngine(), workshop)
    async with running(runner):
        assert await ended(storage, "batch_1") == "completed"
        await new_batch(storage, jsonl(line(0)), "batch_2")
        runner.notice()
        assert await ended(storage, "batch_2") == "completed"


async def test_nothing_is_asked_of_a_model_that_is_still_loading(
    storage: Storage, workshop: Workshop, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.01)
    await new_batch(storage, jsonl(line(0)))
    engine = FakeEngine(load_seconds=60)
    async with running(BatchRunner(engine, workshop)):
        await asyncio.sleep(0.05)
        assert executor.bodies == []
        engine.state = EngineState.READY
        assert await ended(storage, "batch_1") == "completed"


async def test_a_cancelled_batch_ends_though_its_lines_hang(
    storage: Storage, workshop: Workshop, executor: Executor
) -> None:
    async def hang(_: dict[str, Any]) -> int:
        await asyncio.Event().wait()
        return 200

    executor.script = hang
    await new_batch(storage, jsonl(line(0)))
    runner = BatchRunner(FakeEngine(), workshop)
    async with running(runner):
        while not executor.bodies:
            await asyncio.sleep(0.01)
        await storage.batches.change("batch_1", lambda r: r.entering(Status.CANCELLING, 1))
        runner.stop("batch_1")
        assert await ended(storage, "batch_1") == "cancelled"


async def test_a_late_owner_does_not_wait_for_all_batches_of_an_early_one(
    storage: Storage, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "MAX_JOBS", 2)
    for number in range(4):
        await new_batch(storage, jsonl(*map(line, range(50))), f"batch_{number}")
    await new_batch(storage, jsonl(line(0)), "batch_bob", BOB)
    async with running(BatchRunner(FakeEngine(), workshop)):
        assert await ended(storage, "batch_bob", BOB) == "completed"
    assert (await found(storage, "batch_3")).status == "validating"


async def test_lines_of_several_batches_take_turns(
    storage: Storage, workshop: Workshop, executor: Executor
) -> None:
    for number in range(2):
        rows = [line(number * 100 + index) for index in range(30)]
        await new_batch(storage, jsonl(*rows), f"batch_{number}")
    shop = replace(workshop, slots=asyncio.Semaphore(1))
    async with running(BatchRunner(FakeEngine(), shop)):
        for number in range(2):
            assert await ended(storage, f"batch_{number}") == "completed"
    first_of_the_second = next(i for i, number in enumerate(executor.numbers) if number >= 100)
    assert first_of_the_second < 30


async def test_a_batch_waits_for_a_storage_that_fails_and_goes_on_later(
    storage: Storage, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "LOOK_SECONDS", 0.02)
    await new_batch(storage, jsonl(*map(line, range(10))))
    plain: Callable[..., Any] = Database.run
    num_uses = 0

    async def run(self: Database, work: Any) -> Any:
        nonlocal num_uses
        num_uses += 1
        if num_uses < 40 and num_uses % 4 == 0:
            raise StorageUnavailable("disk I/O error")
        return await plain(self, work)

    monkeypatch.setattr(Database, "run", run)
    async with running(BatchRunner(FakeEngine(), workshop)):
        while num_uses < 40:
            await asyncio.sleep(0.01)
        assert await ended(storage, "batch_1") == "completed"
    record = await found(storage)
    assert (record.completed, record.failed) == (10, 0)
