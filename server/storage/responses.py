"""Stored responses: what was asked, what was answered, and what each of them continues."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.database import Database
from server.storage.tables import responses

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """`document` is the response as clients see it; `is_open` while it is being generated.

    `input_items` are those of its own request; the ones before belong to `previous`.
    """

    id: str
    owner: str
    previous: str | None
    is_open: bool
    input_items: Sequence[Json]
    document: Json


class ResponseStore:
    """All methods raise StorageUnavailable; those that write, StorageFull too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, response: StoredResponse, keep_until: int) -> None:
        query = insert(responses).values(
            id=response.id,
            owner=response.owner,
            expires_at=keep_until,
            previous=response.previous,
            is_open=response.is_open,
            input_items=msgspec.json.encode(response.input_items),
            document=msgspec.json.encode(response.document),
        )
        await self._database.execute(query)

    async def find(self, owner: str, response_id: str) -> StoredResponse | None:
        async def work(connection: AsyncConnection) -> StoredResponse | None:
            return await _find(connection, owner, response_id)

        return await self._database.run(work)

    async def chain(self, owner: str, response_id: str) -> list[StoredResponse] | None:
        """A response and all that it continues, oldest first; None if any of them is gone."""

        async def work(connection: AsyncConnection) -> list[StoredResponse] | None:
            found: list[StoredResponse] = []
            wanted: str | None = response_id
            while wanted is not None:
                response = await _find(connection, owner, wanted)
                if response is None:
                    return None
                found.append(response)
                wanted = response.previous
            return found[::-1]

        return await self._database.run(work)

    async def change(
        self, owner: str, response_id: str, change: Callable[[Json], Json], *, is_open: bool
    ) -> Json | None:
        """Replace the document of an open response; None if it has ended or is gone."""

        async def work(connection: AsyncConnection) -> Json | None:
            stored = await _find(connection, owner, response_id)
            if stored is None or not stored.is_open:
                return None
            document = change(stored.document)
            query = update(responses).where(responses.c.id == response_id)
            await connection.execute(
                query.values(is_open=is_open, document=msgspec.json.encode(document))
            )
            return document

        return await self._database.run(work)

    async def open(self) -> list[StoredResponse]:
        """Those of all owners that are said to be generated now."""
        query = select(responses).where(responses.c.is_open).order_by(responses.c.position)

        async def work(connection: AsyncConnection) -> list[StoredResponse]:
            return [_stored(row) for row in await connection.execute(query)]

        return await self._database.run(work)

    async def delete(self, owner: str, response_id: str) -> bool:
        """False if this owner has no such response."""
        query = delete(responses).where(responses.c.id == response_id, responses.c.owner == owner)
        return await self._database.execute(query) > 0


async def _find(connection: AsyncConnection, owner: str, response_id: str) -> StoredResponse | None:
    query = select(responses).where(responses.c.id == response_id, responses.c.owner == owner)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _stored(row)


def _stored(row: Row[Any]) -> StoredResponse:
    return StoredResponse(
        id=row.id,
        owner=row.owner,
        previous=row.previous,
        is_open=row.is_open,
        input_items=msgspec.json.decode(row.input_items),
        document=msgspec.json.decode(row.document),
    )
