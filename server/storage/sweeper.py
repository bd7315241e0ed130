"""Keeps the storage small: what has expired goes, and the oldest responses when space runs out."""

import asyncio
import time

import structlog
from sqlalchemy import Delete, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.database import Database
from server.storage.errors import StorageUnavailable
from server.storage.tables import batches, files, responses

SWEEP_SECONDS = 300.0
UPLOAD_SECONDS = 24 * 3600
"""An incomplete file this old is what a crash has left of an upload."""
FULLEST_SHARE = 0.9
"""Of the largest size, before responses have to make room for what is uploaded next."""
RESPONSES_PER_STEP = 200

_log = structlog.stdlib.get_logger("granite.storage")


class Sweeper:
    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes

    async def run(self) -> None:
        """Sweep now and then until cancelled."""
        while True:
            try:
                await self.sweep(int(time.time()))
            except StorageUnavailable as error:
                _log.debug("nothing can be swept", reason=str(error))
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self, now: int) -> None:
        """Raises StorageUnavailable."""
        execute = self._database.execute
        is_abandoned = ~files.c.is_complete & (files.c.created_at < now - UPLOAD_SECONDS)
        await execute(delete(files).where((files.c.expires_at <= now) | is_abandoned))
        for table in (batches, responses):
            await execute(delete(table).where(table.c.expires_at <= now, ~table.c.is_open))
        while await self._database.run(_used_bytes) > FULLEST_SHARE * self._max_bytes:
            if await execute(_delete_oldest_responses()) == 0:
                _log.warning("the storage is nearly full of files and batches")
                return


def _delete_oldest_responses() -> Delete:
    oldest = (
        select(responses.c.position)
        .where(~responses.c.is_open)
        .order_by(responses.c.position)
        .limit(RESPONSES_PER_STEP)
    )
    return delete(responses).where(responses.c.position.in_(oldest))


async def _used_bytes(connection: AsyncConnection) -> int:
    names = ("page_count", "freelist_count", "page_size")
    num_pages, num_free, page_size = [
        int(await connection.scalar(text(f"PRAGMA {name}"))) for name in names
    ]
    return (num_pages - num_free) * page_size
