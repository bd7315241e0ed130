"""Lists in pieces, as all list routes give them: a cursor, a limit, an order."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

Item = TypeVar("Item")


class UnknownCursor(LookupError):
    """The object after which the page was to begin does not exist for this owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """`after` is the id of the last object of the page before."""

    limit: int
    after: str | None = None
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    items: list[Item]
    has_more: bool


async def page_rows(
    connection: AsyncConnection, table: Table, owner: str, query: PageQuery
) -> Select[Any]:
    """A query for the rows of one owner: the page, and one more if there are more.

    Raises:
        UnknownCursor
    """
    position = table.c.position
    rows = select(table).where(table.c.owner == owner).limit(query.limit + 1)
    rows = rows.order_by(position.desc() if query.newest_first else position.asc())
    if query.after is None:
        return rows
    start = await connection.scalar(
        select(position).where(table.c.id == query.after, table.c.owner == owner)
    )
    if start is None:
        raise UnknownCursor(query.after)
    return rows.where(position < start if query.newest_first else position > start)


def page_of(items: list[Item], query: PageQuery) -> Page[Item]:
    return Page(items[: query.limit], len(items) > query.limit)
