"""One process holds the file; whatever is wrong with it is a typed error, and can pass."""

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import database as database_module
from server.storage.database import Database
from server.storage.errors import StorageFull, StorageOff, StorageUnavailable
from server.storage.storage import Storage
from tests.server.storage.conftest import MAX_BYTES
from tests.server.storage.samples import ALICE, file, pieces, read, response


async def version(connection: AsyncConnection) -> int:
    number: int = await connection.scalar(text("PRAGMA user_version"))
    return number


async def test_what_was_written_is_there_after_a_restart(path: Path) -> None:
    first = Storage(path, MAX_BYTES, 3600)
    await first.files.create(file("file-1"), pieces(b"abc"))
    await first.close()
    second = Storage(path, MAX_BYTES, 3600)
    assert await read(second.files.read(ALICE, "file-1")) == b"abc"
    await second.close()


async def test_the_file_and_its_folder_are_for_their_owner_only(
    storage: Storage, path: Path
) -> None:
    await storage.files.find(ALICE, "file-1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_second_process_finds_the_file_locked_until_the_first_lets_go(
    storage: Storage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(database_module, "RETRY_SECONDS", 0.0)
    await storage.files.create(file("file-1"), pieces(b"abc"))
    second = Database(path, MAX_BYTES)
    with pytest.raises(StorageUnavailable, match="locked"):
        await second.run(version)
    await storage.close()
    assert await second.run(version) == 1
    await second.close()


async def test_a_file_that_could_not_be_opened_is_not_tried_at_every_request(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.mkdir(parents=True)
    broken = Database(path, MAX_BYTES)
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            await broken.run(version)
    path.rmdir()
    with pytest.raises(StorageUnavailable):
        await broken.run(version)
    monkeypatch.setattr(database_module, "RETRY_SECONDS", 0.0)
    assert await broken.run(version) == 1
    await broken.close()


@pytest.mark.parametrize(
    "content", [b"not a database " * 1000, b"SQLite format 3\0" + b"\xff" * 8192]
)
async def test_a_broken_file_is_a_typed_error_and_is_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    database = Database(path, MAX_BYTES)
    with pytest.raises(StorageUnavailable):
        await database.run(version)
    assert path.read_bytes() == content


async def test_a_file_of_a_newer_version_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    database = Database(path, MAX_BYTES)
    with pytest.raises(StorageUnavailable, match="newer version"):
        await database.run(version)


async def test_damage_in_the_middle_is_an_error_and_not_the_end(path: Path) -> None:
    storage = Storage(path, MAX_BYTES, 3600)
    for number in range(200):
        await storage.responses.create(response(f"resp_{number}"), 2**40)
    await storage.close()
    content = bytearray(path.read_bytes())
    content[4096 * 4 :] = os.urandom(len(content) - 4096 * 4)
    path.write_bytes(content)
    storage = Storage(path, MAX_BYTES, 3600)
    with pytest.raises(StorageUnavailable):
        for number in range(200):
            await storage.responses.find(ALICE, f"resp_{number}")
    await storage.close()


async def test_a_full_storage_refuses_more_and_still_gives_what_it_has(storage: Storage) -> None:
    await storage.files.create(file("file-1"), pieces(b"abc"))
    with pytest.raises(StorageFull):
        await storage.files.create(file("file-2"), pieces(*[b"x" * 2**20] * 9))
    assert await read(storage.files.read(ALICE, "file-1")) == b"abc"
    assert await storage.files.find(ALICE, "file-2") is None
    await storage.files.create(file("file-3"), pieces(b"x" * 2**20))


async def test_work_ends_even_if_nobody_waits_for_it_any_more(storage: Storage) -> None:
    begun = asyncio.Event()

    async def slow(connection: AsyncConnection) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        await connection.execute(text("CREATE TABLE proof (x)"))

    database = storage.files._database
    waiting = asyncio.create_task(database.run(slow))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    count = text("SELECT count(*) FROM proof")
    assert await database.run(lambda connection: connection.scalar(count)) == 0


async def test_the_event_loop_turns_while_the_disk_works(storage: Storage) -> None:
    writing = asyncio.create_task(storage.files.create(file("file-1"), pieces(*[b"x" * 2**20] * 6)))
    num_turns = 0
    while not writing.done():
        await asyncio.sleep(0)
        num_turns += 1
    assert num_turns > 50


async def test_a_storage_that_is_off_says_so() -> None:
    storage = Storage(None, MAX_BYTES, 3600)
    assert not storage.is_on
    with pytest.raises(StorageOff):
        await storage.files.find(ALICE, "file-1")
    await storage.close()
