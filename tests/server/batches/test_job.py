"""A batch gets from its input to its end, in any way it can end, and from wherever it was left."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from server.batches import job as job_module
from server.batches.job import BatchJob, Workshop
from server.batches.record import Status, TokenCounts
from server.storage.storage import Storage
from tests.server.batches.batches import found, jsonl, line, new_batch, outputs
from tests.server.batches.conftest import ENDPOINT, Executor
from tests.server.storage.samples import ALICE, BOB


async def test_every_line_is_answered_in_the_order_of_the_input(
    storage: Storage, workshop: Workshop, executor: Executor
) -> None:
    record = await new_batch(storage, jsonl(*map(line, range(20))))
    await BatchJob(record, workshop).run()
    ended = await found(storage)
    assert (ended.status, ended.total, ended.completed, ended.failed) == ("completed", 20, 20, 0)
    assert ended.tokens == TokenCounts(input_tokens=100, output_tokens=40)
    assert ended.error_file_id is None
    assert list(ended.entered) == [Status.IN_PROGRESS, Status.FINALIZING, Status.COMPLETED]
    rows = await outputs(storage, ended.output_file_id)
    assert [row["custom_id"] for row in rows] == [f"c{number}" for number in range(20)]
    assert len({row["id"] for row in rows}) == 20
    assert rows[3] == {
        "id": rows[3]["id"],
        "custom_id": "c3",
        "response": {
            "status_code": 200,
            "request_id": "req_1",
            "body": {"echo": line(3)["body"], "endpoint": ENDPOINT, "client": ALICE},
        },
        "error": None,
    }
    assert executor.most_running == 3
    assert await storage.files.find(BOB, str(ended.output_file_id)) is None


async def test_lines_that_fail_are_in_the_error_file(
    storage: Storage, workshop: Workshop, executor: Executor
) -> None:
    async def odd_ones_fail(body: dict[str, Any]) -> int:
        return 400 if body["number"] % 2 else 200

    executor.script = odd_ones_fail
    record = await new_batch(storage, jsonl(*map(line, range(5))))
    await BatchJob(record, workshop).run()
    ended = await found(storage)
    assert (ended.status, ended.completed, ended.failed) == ("completed", 3, 2)
    failures = await outputs(storage, ended.error_file_id)
    assert [row["custom_id"] for row in failures] == ["c1", "c3"]
    assert {row["response"]["status_code"] for row in failures} == {400}


async def test_an_input_file_with_mistakes_fails_the_batch_before_any_line(
    storage: Storage, workshop: Workshop, executor: Executor
) -> None:
    record = await new_batch(storage, jsonl(line(0)) + b"nonsense\n")
    await BatchJob(record, workshop).run()
    ended = await found(storage)
    assert ended.status == "failed"
    assert [(error.code, error.line) for error in ended.errors] == [("invalid_json_line", 2)]
    assert executor.bodies == []


async def test_after_a_restart_only_the_lines_that_are_not_done_are_done(
    storage: Storage, workshop: Workshop, executor: Executor
) -> None:
    num_answered = 0

    async def crash_at_the_fifth(_: dict[str, Any]) -> int:
        nonlocal num_answered
        num_answered += 1
        if num_answered > 4:
            await asyncio.Event().wait()
        return 200

    executor.script = crash_at_the_fifth
    record = await new_batch(storage, jsonl(*map(line, range(10))))
    running = asyncio.create_task(BatchJob(record, workshop).run())
    while (await found(storage)).completed < 4:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await storage.close()
    done = await storage.batches.lines_done("batch_1")
    executor.script, executor.bodies = None, []
    (reopened,) = await storage.batches.open()
    await BatchJob(reopened, replace(workshop, slots=asyncio.Semaphore(2))).run()
    assert sorted(executor.numbers) == sorted(set(range(10)) - {number - 1 for number in done})
    ended = await found(storage)
    assert (ended.status, ended.completed) == ("completed", 10)
    rows = await outputs(storage, ended.output_file_id)
    assert [row["custom_id"] for row in rows] == [f"c{number}" for number in range(10)]


async def test_an_output_file_half_written_at_a_crash_is_written_anew(
    storage: Storage, workshop: Workshop
) -> None:
    record = await new_batch(storage, jsonl(line(0)))
    job = BatchJob(record, workshop)
    progressing = await job._validate(record)
    assert progressing is not None
    finalizing = await job._work(progressing)
    assert finalizing is not None
    file_id = await job._write_file(await found(storage), successes=True)
    await BatchJob(record, workshop).run()
    ended = await found(storage)
    assert ended.output_file_id == file_id
    assert len(await outputs(storage, file_id)) == 1


async def test_a_cancelled_batch_keeps_what_is_done_and_names_what_is_not(
    storage: Storage, workshop: Workshop, executor: Executor
) -> None:
    async def hang_after_two(body: dict[str, Any]) -> int:
        if body["number"] > 1:
            await asyncio.Event().wait()
        return 200

    executor.script = hang_after_two
    record = await new_batch(storage, jsonl(*map(line, range(6))))
    job = BatchJob(record, workshop)
    running = asyncio.create_task(job.run())
    while (await found(storage)).completed < 2:
        await asyncio.sleep(0.01)
    now = int(time.time())
    await storage.batches.change("batch_1", lambda r: r.entering(Status.CANCELLING, now))
    job.stop()
    await running
    ended = await found(storage)
    assert (ended.status, ended.completed, ended.failed) == ("cancelled", 2, 4)
    rows = await outputs(storage, ended.error_file_id)
    assert [row["custom_id"] for row in rows] == ["c2", "c3", "c4", "c5"]
    assert {row["error"]["code"] for row in rows} == {"batch_cancelled"}
    assert {row["response"] for row in rows} == {None}
    assert executor.num_running == 0


async def test_a_batch_cancelled_before_its_input_was_read_just_ends(
    storage: Storage, workshop: Workshop, executor: Executor
) -> None:
    record = await new_batch(storage, jsonl(line(0)))
    await storage.batches.change("batch_1", lambda r: r.entering(Status.CANCELLING, 1))
    await BatchJob(record, workshop).run()
    ended = await found(storage)
    assert (ended.status, ended.output_file_id, ended.error_file_id) == ("cancelled", None, None)
    assert executor.bodies == []


async def test_the_end_of_the_window_ends_the_batch(
    storage: Storage, workshop: Workshop, executor: Executor
) -> None:
    async def hang(_: dict[str, Any]) -> int:
        await asyncio.Event().wait()
        return 200

    executor.script = hang
    soon = int(time.time()) + 1
    record = await new_batch(storage, jsonl(*map(line, range(4))), expires_at=soon)
    await BatchJob(record, workshop).run()
    ended = await found(storage)
    assert (ended.status, ended.is_late, ended.failed) == ("expired", True, 4)
    rows = await outputs(storage, ended.error_file_id)
    assert {row["error"]["code"] for row in rows} == {"batch_expired"}


@pytest.mark.parametrize(("status", "num_attempts"), [(503, 6), (500, 3), (504, 1), (429, 1)])
async def test_what_may_pass_is_tried_again_and_a_fault_only_a_few_times(
    storage: Storage,
    workshop: Workshop,
    executor: Executor,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    num_attempts: int,
) -> None:
    monkeypatch.setattr(job_module, "FIRST_PAUSE_SECONDS", 0.0)

    async def refuse_five_times(_: dict[str, Any]) -> int:
        return status if len(executor.bodies) <= 5 else 200

    executor.script = refuse_five_times
    record = await new_batch(storage, jsonl(line(0)))
    await BatchJob(record, workshop).run()
    assert len(executor.bodies) == num_attempts
    ended = await found(storage)
    assert ended.completed == (1 if status == 503 else 0)


async def test_without_its_input_file_a_batch_fails(storage: Storage, workshop: Workshop) -> None:
    record = await new_batch(storage, jsonl(line(0)))
    await storage.files.delete(ALICE, record.input_file_id)
    await BatchJob(record, workshop).run()
    ended = await found(storage)
    assert [error.code for error in ended.errors] == ["empty_file"]
