"""Batches in the database: a document each, and the results of the lines that are done."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.batches.record import BatchRecord, LineResult
from server.storage.database import Database
from server.storage.page import Page, PageQuery, page_of, page_rows
from server.storage.tables import batch_lines, batches

OUTPUTS_PER_READ = 64

Change = Callable[[BatchRecord], BatchRecord]


class BatchStore:
    """All methods raise StorageUnavailable; those that write, StorageFull too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, record: BatchRecord, keep_until: int) -> None:
        """Keep the record, and all results of its lines, until that time."""
        values = {"id": record.id, "owner": record.owner, "expires_at": keep_until}
        query = insert(batches).values(**values, **_document(record))
        await self._database.execute(query)

    async def find(self, owner: str, batch_id: str) -> BatchRecord | None:
        query = select(batches).where(batches.c.id == batch_id, batches.c.owner == owner)

        async def work(connection: AsyncConnection) -> BatchRecord | None:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else _record(row)

        return await self._database.run(work)

    async def page(self, owner: str, query: PageQuery) -> Page[BatchRecord]:
        """Raises UnknownCursor."""

        async def work(connection: AsyncConnection) -> Page[BatchRecord]:
            rows = await page_rows(connection, batches, owner, query)
            return page_of([_record(row) for row in await connection.execute(rows)], query)

        return await self._database.run(work)

    async def open(self) -> list[BatchRecord]:
        """Those of all owners that have not ended, oldest first."""
        query = select(batches).where(batches.c.is_open).order_by(batches.c.position)

        async def work(connection: AsyncConnection) -> list[BatchRecord]:
            return [_record(row) for row in await connection.execute(query)]

        return await self._database.run(work)

    async def change(self, batch_id: str, change: Change) -> BatchRecord:
        """Replace the record by what `change` makes of it, with nothing in between.

        Raises:
            KeyError: there is no such batch.
        """
        return await self._database.run(partial(_change, batch_id, change))

    async def add_results(self, batch_id: str, results: Sequence[LineResult]) -> None:
        """Keep the results of some lines and count them in one go, so that no line is done twice.

        Raises:
            KeyError: there is no such batch.
        """

        async def work(connection: AsyncConnection) -> None:
            await _change(batch_id, lambda record: record.counting(results), connection)
            rows = [
                {"line": result.line, "is_success": result.is_success, "output": result.output}
                for result in results
            ]
            await connection.execute(insert(batch_lines).values(batch=_position(batch_id)), rows)

        await self._database.run(work)

    async def lines_done(self, batch_id: str) -> set[int]:
        query = select(batch_lines.c.line).where(batch_lines.c.batch == _position(batch_id))

        async def work(connection: AsyncConnection) -> set[int]:
            return set(await connection.scalars(query))

        return await self._database.run(work)

    async def outputs(self, batch_id: str, *, successes: bool) -> AsyncIterator[bytes]:
        """Of the lines that succeeded, or of those that did not, in order of lines."""
        last = -1
        while True:
            rows = await self._database.run(partial(_outputs, batch_id, successes, last))
            for row in rows:
                last = row.line
                yield row.output
            if len(rows) < OUTPUTS_PER_READ:
                return

    async def forget_results(self, batch_id: str) -> None:
        query = delete(batch_lines).where(batch_lines.c.batch == _position(batch_id))
        await self._database.execute(query)


async def _change(batch_id: str, change: Change, connection: AsyncConnection) -> BatchRecord:
    row = (await connection.execute(select(batches).where(batches.c.id == batch_id))).one_or_none()
    if row is None:
        raise KeyError(batch_id)
    changed = change(_record(row))
    await connection.execute(
        update(batches).where(batches.c.position == row.position).values(**_document(changed))
    )
    return changed


async def _outputs(
    batch_id: str, successes: bool, after: int, connection: AsyncConnection
) -> list[Row[Any]]:
    query = (
        select(batch_lines.c.line, batch_lines.c.output)
        .where(batch_lines.c.batch == _position(batch_id), batch_lines.c.line > after)
        .where(batch_lines.c.is_success == successes)
        .order_by(batch_lines.c.line)
        .limit(OUTPUTS_PER_READ)
    )
    return list(await connection.execute(query))


def _position(batch_id: str) -> Any:
    return select(batches.c.position).where(batches.c.id == batch_id).scalar_subquery()


def _document(record: BatchRecord) -> dict[str, Any]:
    return {"is_open": record.is_open, "document": msgspec.json.encode(record)}


def _record(row: Row[Any]) -> BatchRecord:
    return msgspec.json.decode(row.document, type=BatchRecord)
