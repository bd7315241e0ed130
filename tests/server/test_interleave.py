"""Merging streams: nothing lost, order kept, everything closed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from server.interleave import interleave


class Counter:
    """A stream of numbers from `start` that knows whether it was closed."""

    def __init__(self, start: int, count: int, error: Exception | None = None) -> None:
        self.is_closed = False
        self._numbers = range(start, start + count)
        self._error = error

    async def stream(self) -> AsyncGenerator[int]:
        try:
            for number in self._numbers:
                await asyncio.sleep(0)
                yield number
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True


async def test_all_items_come_and_keep_their_order() -> None:
    counters = [Counter(0, 5), Counter(100, 0), Counter(200, 3)]
    items = [item async for item in interleave([counter.stream() for counter in counters])]
    assert sorted(items) == [0, 1, 2, 3, 4, 200, 201, 202]
    assert [item for item in items if item < 100] == [0, 1, 2, 3, 4]
    assert items.index(200) < items.index(4)  # neither stream waits for the other's end


async def test_the_first_error_ends_all() -> None:
    endless, failing = Counter(0, 10_000), Counter(0, 1, ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        async for _ in interleave([endless.stream(), failing.stream()]):
            pass
    assert endless.is_closed


async def test_leaving_early_closes_all() -> None:
    counters = [Counter(0, 10_000), Counter(0, 10_000)]
    async with aclosing(interleave([counter.stream() for counter in counters])) as items:
        await anext(items)
    assert all(counter.is_closed for counter in counters)
