"""What has expired is deleted, and old responses make room, but nothing that is still at work."""

import os

from server.storage.storage import Storage
from server.storage.sweeper import FULLEST_SHARE, UPLOAD_SECONDS
from tests.server.storage.conftest import MAX_BYTES
from tests.server.storage.samples import ALICE, NOW, batch, file, pieces, read, response, result


async def test_what_has_expired_goes_with_all_that_belongs_to_it(storage: Storage) -> None:
    await storage.files.create(file("file-1", expires_at=NOW + 10), pieces(b"abc"))
    await storage.files.create(file("file-2", expires_at=None), pieces(b"abc"))
    await storage.batches.create(batch("batch_1", status="completed"), NOW + 10)
    await storage.batches.add_results("batch_1", [result(1)])
    await storage.responses.create(response("resp_1"), NOW + 10)
    await storage.responses.create(response("resp_2"), NOW + 20)
    await storage.sweeper.sweep(NOW + 15)
    assert await read(storage.files.read(ALICE, "file-1")) == b""
    assert await storage.batches.find(ALICE, "batch_1") is None
    assert await storage.batches.lines_done("batch_1") == set()
    assert await storage.responses.find(ALICE, "resp_1") is None
    assert await storage.responses.find(ALICE, "resp_2") is not None
    assert await read(storage.files.read(ALICE, "file-2")) == b"abc"


async def test_nothing_that_is_still_at_work_expires(storage: Storage) -> None:
    await storage.batches.create(batch("batch_1"), NOW + 10)
    await storage.responses.create(response("resp_1", is_open=True), NOW + 10)
    await storage.sweeper.sweep(NOW + 15)
    assert await storage.batches.find(ALICE, "batch_1") is not None
    assert await storage.responses.find(ALICE, "resp_1") is not None


async def test_what_a_crash_left_of_an_upload_goes_in_time(storage: Storage) -> None:
    content = pieces(b"x" * 2**20, b"x")
    upload = storage.files.create(file("file-1", expires_at=None), content)
    upload.send(None)  # as far as the first wait, then never again
    upload.close()
    await storage.sweeper.sweep(NOW)
    await storage.sweeper.sweep(NOW + UPLOAD_SECONDS + 60)
    await storage.files.create(file("file-1"), pieces(b"new"))


async def test_the_oldest_responses_make_room(storage: Storage) -> None:
    num_responses = 500
    for number in range(num_responses):
        text = os.urandom(8192).hex()
        stored = response(f"resp_{number}", input_items=[{"content": text}])
        await storage.responses.create(stored, NOW + 10_000)
        if number % 20 == 19:
            await storage.sweeper.sweep(NOW)
    left = [
        number
        for number in range(num_responses)
        if await storage.responses.find(ALICE, f"resp_{number}")
    ]
    assert 0 < len(left) * 2 * 8192 < FULLEST_SHARE * MAX_BYTES
    assert left == list(range(left[0], num_responses))
