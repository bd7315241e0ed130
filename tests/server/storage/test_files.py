"""Files appear when they are whole, are read as they were written, and are seen by their owner."""

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from server.storage.files import CHUNK_BYTES
from server.storage.page import PageQuery, UnknownCursor
from server.storage.storage import Storage
from tests.server.storage.samples import ALICE, BOB, NOW, file, pieces, read


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]
)
@pytest.mark.parametrize("step", [1000, CHUNK_BYTES, 4 * CHUNK_BYTES])
async def test_content_comes_back_byte_for_byte(storage: Storage, size: int, step: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    parts = [content[start : start + step] for start in range(0, size, step)]
    stored = await storage.files.create(file("file-1"), pieces(*parts))
    assert stored.num_bytes == size
    assert await read(storage.files.read(ALICE, "file-1")) == content


async def test_nobody_else_sees_reads_or_deletes_a_file(storage: Storage) -> None:
    await storage.files.create(file("file-1"), pieces(b"secret"))
    assert await storage.files.find(BOB, "file-1") is None
    assert await read(storage.files.read(BOB, "file-1")) == b""
    assert not await storage.files.delete(BOB, "file-1")
    assert (await storage.files.page(BOB, PageQuery(limit=10), None)).items == []
    assert await storage.files.find(ALICE, "file-1") is not None


async def test_a_file_whose_upload_breaks_off_never_existed(storage: Storage) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * CHUNK_BYTES
        assert await storage.files.find(ALICE, "file-1") is None
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await storage.files.create(file("file-1"), breaking())
    assert await storage.files.find(ALICE, "file-1") is None
    assert await read(storage.files.read(ALICE, "file-1")) == b""
    await storage.files.create(file("file-1"), pieces(b"again"))


async def test_an_expired_file_is_gone_before_it_is_swept(storage: Storage) -> None:
    await storage.files.create(file("file-1", expires_at=NOW - 1), pieces(b"abc"))
    assert await storage.files.find(ALICE, "file-1") is None
    assert (await storage.files.page(ALICE, PageQuery(limit=10), None)).items == []


async def test_pages_join_up_to_the_whole_list_in_both_orders(storage: Storage) -> None:
    for number in range(7):
        purpose = "batch" if number % 2 else "user_data"
        await storage.files.create(file(f"file-{number}", purpose=purpose), pieces())
        await storage.files.create(file(f"other-{number}", BOB), pieces())
    for newest_first in (True, False):
        ids: list[str] = []
        has_more, after = True, None
        while has_more:
            query = PageQuery(limit=3, after=after, newest_first=newest_first)
            page = await storage.files.page(ALICE, query, None)
            ids += [item.id for item in page.items]
            has_more, after = page.has_more, ids[-1]
        numbers = [int(file_id.removeprefix("file-")) for file_id in ids]
        assert sorted(numbers) == list(range(7))
        assert all((left > right) is newest_first for left, right in pairwise(numbers))
    of_batches = await storage.files.page(ALICE, PageQuery(limit=10), "batch")
    assert {item.id for item in of_batches.items} == {"file-1", "file-3", "file-5"}


async def test_a_cursor_of_somebody_else_is_unknown(storage: Storage) -> None:
    await storage.files.create(file("file-1", BOB), pieces())
    with pytest.raises(UnknownCursor):
        await storage.files.page(ALICE, PageQuery(limit=10, after="file-1"), None)


async def test_a_file_takes_the_place_of_what_a_crash_left_of_it(storage: Storage) -> None:
    half = storage.files.create(file("file-1"), pieces(b"x" * 2 * CHUNK_BYTES))
    half.send(None)  # as far as the first wait, then never again
    half.close()
    await storage.files.create(file("file-1"), pieces(b"whole"))
    assert await read(storage.files.read(ALICE, "file-1")) == b"whole"
