"""Files in the database, in chunks: written as they arrive, read as they are sent."""

import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.database import Database
from server.storage.errors import StorageUnavailable
from server.storage.page import Page, PageQuery, page_of, page_rows
from server.storage.tables import file_chunks, files

CHUNK_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    id: str
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    num_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """What is to be known of a file besides its content."""

    id: str
    owner: str
    filename: str
    purpose: str
    expires_at: int | None


class FileStore:
    """All methods raise StorageUnavailable; those that write, StorageFull too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewFile, content: AsyncIterable[bytes]) -> StoredFile:
        """Write a file chunk by chunk. It can be seen when it is complete, and never in part.

        It takes the place of an earlier file of the same id, such as half of one after a crash.
        """
        position = await self._database.run(partial(_insert, new))
        num_bytes = 0
        try:
            number = 0
            async for chunk in in_chunks(content):
                row = {"file": position, "number": number, "data": chunk}
                await self._database.run(partial(_insert_chunk, row))
                num_bytes += len(chunk)
                number += 1
        except BaseException:
            with suppress(StorageUnavailable):  # then the next sweep does it
                await self._database.run(partial(_remove, position))
            raise
        return await self._database.run(partial(_complete, position, num_bytes))

    async def find(self, owner: str, file_id: str) -> StoredFile | None:
        async def work(connection: AsyncConnection) -> StoredFile | None:
            row = (await connection.execute(_visible(owner, file_id))).one_or_none()
            return None if row is None else _stored(row)

        return await self._database.run(work)

    async def page(self, owner: str, query: PageQuery, purpose: str | None) -> Page[StoredFile]:
        """Raises UnknownCursor."""

        async def work(connection: AsyncConnection) -> Page[StoredFile]:
            rows = await page_rows(connection, files, owner, query)
            rows = rows.where(_is_visible())
            if purpose is not None:
                rows = rows.where(files.c.purpose == purpose)
            return page_of([_stored(row) for row in await connection.execute(rows)], query)

        return await self._database.run(work)

    async def delete(self, owner: str, file_id: str) -> bool:
        """False if this owner has no such file."""

        async def work(connection: AsyncConnection) -> bool:
            position = await connection.scalar(
                _visible(owner, file_id).with_only_columns(files.c.position)
            )
            if position is not None:
                await _remove(position, connection)
            return position is not None

        return await self._database.run(work)

    async def read(self, owner: str, file_id: str) -> AsyncIterator[bytes]:
        """The content in chunks; it just ends if the file is deleted meanwhile."""
        number = 0
        while True:
            chunk = await self._chunk(owner, file_id, number)
            if chunk is None:
                return
            yield chunk
            number += 1

    async def _chunk(self, owner: str, file_id: str, number: int) -> bytes | None:
        query = (
            select(file_chunks.c.data)
            .join(files)
            .where(files.c.id == file_id, files.c.owner == owner)
            .where(file_chunks.c.number == number)
        )

        async def work(connection: AsyncConnection) -> bytes | None:
            data: bytes | None = await connection.scalar(query)
            return data

        return await self._database.run(work)


async def in_chunks(content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of CHUNK_BYTES, the last one excepted."""
    buffer = bytearray()
    async for piece in content:
        buffer += piece
        while len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer[:CHUNK_BYTES])
            del buffer[:CHUNK_BYTES]
    if buffer:
        yield bytes(buffer)


async def _insert(new: NewFile, connection: AsyncConnection) -> int:
    is_same = (files.c.id == new.id) & (files.c.owner == new.owner)
    await connection.execute(delete(files).where(is_same))
    result = await connection.execute(
        insert(files)
        .values(
            id=new.id,
            owner=new.owner,
            created_at=int(time.time()),
            expires_at=new.expires_at,
            filename=new.filename,
            purpose=new.purpose,
            num_bytes=0,
            is_complete=False,
        )
        .returning(files.c.position)
    )
    position: int = result.scalar_one()
    return position


async def _insert_chunk(row: dict[str, Any], connection: AsyncConnection) -> None:
    await connection.execute(insert(file_chunks), row)


async def _complete(position: int, num_bytes: int, connection: AsyncConnection) -> StoredFile:
    is_it = files.c.position == position
    await connection.execute(
        update(files).where(is_it).values(num_bytes=num_bytes, is_complete=True)
    )
    return _stored((await connection.execute(select(files).where(is_it))).one())


async def _remove(position: int, connection: AsyncConnection) -> None:
    """The chunks go with their file."""
    await connection.execute(delete(files).where(files.c.position == position))


def _is_visible() -> Any:
    is_alive = files.c.expires_at.is_(None) | (files.c.expires_at > int(time.time()))
    return files.c.is_complete & is_alive


def _visible(owner: str, file_id: str) -> Any:
    return select(files).where(files.c.id == file_id, files.c.owner == owner, _is_visible())


def _stored(row: Row[Any]) -> StoredFile:
    return StoredFile(
        id=row.id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        filename=row.filename,
        purpose=row.purpose,
        num_bytes=row.num_bytes,
    )
