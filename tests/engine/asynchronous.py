"""Waiting and reading, for tests of the client."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.client import EngineClient
from engine.errors import EngineError
from engine.interface import Generation
from engine.request import TokenEvent


@dataclass
class Reply:
    """What came out of one generation until it ended or failed."""

    tokens: dict[int, list[int]] = field(default_factory=dict)
    num_finished: int = 0
    error: EngineError | None = None


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Fails with TimeoutError if it does not come true in time."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def read(generation: Generation) -> Reply:
    reply = Reply()
    try:
        async for event in generation:
            if isinstance(event, TokenEvent):
                reply.tokens.setdefault(event.choice, []).append(event.token_id)
                reply.num_finished += event.finish_reason is not None
    except EngineError as error:
        reply.error = error
    return reply


def is_idle(client: EngineClient) -> bool:
    """Everything is free again, by the worker's own books."""
    stats = client.stats
    return (
        stats.running == stats.waiting == 0
        and stats.free_slots == stats.total_slots
        and stats.free_pages == stats.total_pages
    )
