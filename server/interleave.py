"""Merges asynchronous streams into one, in order of arrival. Knows nothing of the items."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


async def interleave(streams: Sequence[AsyncGenerator[Item]]) -> AsyncGenerator[Item]:
    """Yield items of all streams as they come; the order within one stream is kept.

    At most one item of each stream is taken ahead of the consumer. The first error ends the whole.
    All streams are closed before this one ends, however it ends.
    """
    pending = {asyncio.ensure_future(anext(stream)): stream for stream in streams}
    try:
        while pending:
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in pending if task in done]:  # in a steady order
                stream = pending.pop(task)
                try:
                    item = task.result()
                except StopAsyncIteration:
                    continue
                pending[asyncio.ensure_future(anext(stream))] = stream
                yield item
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for stream in streams:
            await stream.aclose()
