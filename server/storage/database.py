"""One SQLite file that this process holds alone. Knows no tables beyond creating them.

All work is done by one connection in a thread of its own, so nothing waits for locks of ours and
the event loop never waits for the disk. Whatever is wrong with the file is a typed error.
"""

import asyncio
import math
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Executable, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from server.storage.errors import StorageFull, StorageOff, StorageUnavailable
from server.storage.tables import SCHEMA_VERSION, metadata

LOCK_WAIT_SECONDS = 2.0
"""For another process to let go of the file; after a restart the old one may take a moment."""
RETRY_SECONDS = 5.0
"""Between two attempts to open a file that could not be opened."""
WAL_BYTES = 32 * 2**20
FULL = "database or disk is full"

Result = TypeVar("Result")
Work = Callable[[AsyncConnection], Awaitable[Result]]

_log = structlog.stdlib.get_logger("granite.storage")


class Database:
    """Opened by its first use, and again by later ones as long as that fails. No path: off."""

    def __init__(self, path: Path | None, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._engine: AsyncEngine | None = None
        self._opening = asyncio.Lock()
        self._failed_at = -math.inf
        self._complaint = ""
        self._tasks: set[asyncio.Future[Any]] = set()

    async def run(self, work: Work[Result]) -> Result:
        """Do `work` in one transaction, to its end even if the caller is cancelled meanwhile.

        Raises:
            StorageFull: the size limit or the disk does not allow what was to be written.
            StorageUnavailable: the file cannot be used, or (StorageOff) is not wanted.
        """
        if self._path is None:
            raise StorageOff("the server runs with --storage none")
        task = asyncio.ensure_future(self._run(self._path, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def execute(self, statement: Executable) -> int:
        """Run one statement in a transaction of its own, and count the rows that it touched.

        Raises:
            StorageUnavailable: as `run`.
        """

        async def work(connection: AsyncConnection) -> int:
            num_rows: int = (await connection.execute(statement)).rowcount
            return num_rows

        return await self.run(work)

    async def close(self) -> None:
        """Let what is being written be written, then let go of the file. A later use reopens it."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def _run(self, path: Path, work: Work[Result]) -> Result:
        try:
            engine = await self._opened(path)
            async with engine.begin() as connection:
                result = await work(connection)
        except IntegrityError:  # a mistake of ours, not of the file
            raise
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise self._failure(error) from error
        self._complaint = ""
        return result

    async def _opened(self, path: Path) -> AsyncEngine:
        async with self._opening:
            if self._engine is None:
                if time.monotonic() - self._failed_at < RETRY_SECONDS:
                    raise StorageUnavailable(self._complaint)
                self._failed_at = time.monotonic()
                self._engine = await _open(path, self._max_bytes)
                self._failed_at = -math.inf
            return self._engine

    def _failure(self, error: Exception) -> StorageUnavailable:
        """What the caller is told; the operator reads of each new reason once."""
        reason = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        if reason != self._complaint:
            self._complaint = reason
            _log.error("the storage cannot be used", path=str(self._path), reason=reason)
        return StorageFull(reason) if FULL in reason else StorageUnavailable(reason)


async def _open(path: Path, max_bytes: int) -> AsyncEngine:
    await asyncio.to_thread(_make_private_file, path)
    engine = _engine(path, max_bytes)
    try:
        async with engine.begin() as connection:
            await _prepare(connection)
    except BaseException:
        await engine.dispose()
        raise
    return engine


def _make_private_file(path: Path) -> None:
    """Stored prompts and replies are for this user's eyes only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _engine(path: Path, max_bytes: int) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        connect_args={"timeout": LOCK_WAIT_SECONDS},
        pool_size=1,
        max_overflow=0,
        pool_timeout=None,
    )

    def configure(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA locking_mode = EXCLUSIVE")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        cursor.execute("PRAGMA page_size")
        (page_size,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {max_bytes // page_size}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", configure)
    return engine


async def _prepare(connection: AsyncConnection) -> None:
    """Create the tables in a new file; refuse a file that this program cannot know."""
    version = await connection.scalar(text("PRAGMA user_version"))
    if version not in (0, SCHEMA_VERSION):
        raise sqlite3.DatabaseError("it was written by a newer version of this program")
    if version == 0:
        await connection.run_sync(metadata.create_all)
        await connection.execute(text(f"PRAGMA user_version = {SCHEMA_VERSION}"))
