"""A batch's record changes step by step, and each result is kept and counted exactly once."""

import pytest
from sqlalchemy.exc import IntegrityError

from server.batches.record import BatchRecord, InvalidTransition, Status, TokenCounts
from server.storage.batches import OUTPUTS_PER_READ
from server.storage.page import PageQuery
from server.storage.storage import Storage
from tests.server.storage.samples import ALICE, BOB, NOW, batch, read, result

LATER = NOW + 10_000


async def test_a_record_comes_back_as_it_was(storage: Storage) -> None:
    record = batch("batch_1", metadata={"run": "7"}, output_seconds=3600)
    await storage.batches.create(record, LATER)
    assert await storage.batches.find(ALICE, "batch_1") == record
    assert await storage.batches.find(BOB, "batch_1") is None
    assert (await storage.batches.page(BOB, PageQuery(limit=10))).items == []


async def test_a_change_is_kept_and_a_refused_one_is_not(storage: Storage) -> None:
    await storage.batches.create(batch("batch_1"), LATER)
    changed = await storage.batches.change(
        "batch_1", lambda record: record.entering(Status.IN_PROGRESS, NOW, total=3)
    )
    assert (changed.status, changed.total) == (Status.IN_PROGRESS, 3)
    with pytest.raises(InvalidTransition):
        await storage.batches.change(
            "batch_1", lambda record: record.entering(Status.COMPLETED, NOW)
        )
    assert await storage.batches.find(ALICE, "batch_1") == changed
    with pytest.raises(KeyError):
        await storage.batches.change("batch_2", lambda record: record)


async def test_results_are_counted_with_their_tokens_and_given_in_order(storage: Storage) -> None:
    await storage.batches.create(batch("batch_1"), LATER)
    await storage.batches.add_results("batch_1", [result(3), result(1)])
    await storage.batches.add_results("batch_1", [result(2, is_success=False)])
    record = await storage.batches.find(ALICE, "batch_1")
    assert record is not None
    assert (record.completed, record.failed) == (2, 1)
    assert record.tokens == TokenCounts(input_tokens=9, output_tokens=6)
    assert await storage.batches.lines_done("batch_1") == {1, 2, 3}
    successes = storage.batches.outputs("batch_1", successes=True)
    assert await read(successes) == b"line 1\nline 3\n"
    assert await read(storage.batches.outputs("batch_1", successes=False)) == b"line 2\n"


async def test_a_line_that_comes_twice_is_neither_kept_nor_counted_again(storage: Storage) -> None:
    await storage.batches.create(batch("batch_1"), LATER)
    await storage.batches.add_results("batch_1", [result(1)])
    with pytest.raises(IntegrityError):
        await storage.batches.add_results("batch_1", [result(1)])
    record = await storage.batches.find(ALICE, "batch_1")
    assert record is not None
    assert record.completed == 1


async def test_more_results_than_one_read_are_all_given(storage: Storage) -> None:
    num = 2 * OUTPUTS_PER_READ + 1
    await storage.batches.create(batch("batch_1"), LATER)
    await storage.batches.add_results("batch_1", [result(line) for line in range(1, num + 1)])
    outputs = await read(storage.batches.outputs("batch_1", successes=True))
    assert outputs.count(b"\n") == num
    await storage.batches.forget_results("batch_1")
    assert await storage.batches.lines_done("batch_1") == set()


async def test_the_open_ones_of_all_owners_are_found_after_a_restart(storage: Storage) -> None:
    for number, owner in enumerate((ALICE, BOB, ALICE)):
        await storage.batches.create(batch(f"batch_{number}", owner), LATER)
    await storage.batches.change("batch_2", lambda record: record.entering(Status.FAILED, NOW))
    await storage.close()
    assert [record.id for record in await storage.batches.open()] == ["batch_0", "batch_1"]


@pytest.mark.parametrize("status", Status)
def test_a_batch_that_has_ended_enters_no_other_state(status: Status) -> None:
    ended = BatchRecord(
        id="b",
        owner=ALICE,
        endpoint="e",
        input_file_id="f",
        completion_window="24h",
        created_at=NOW,
        expires_at=LATER,
        status=Status.COMPLETED,
    )
    with pytest.raises(InvalidTransition):
        ended.entering(status, NOW)
