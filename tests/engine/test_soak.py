"""Sixteen users with random cancels, for GRANITE_SOAK_SECONDS (20 if unset). Nothing may grow."""

import asyncio
import os
import random
import time

import psutil
import pytest

from engine.client import EngineClient
from engine.errors import QueueFull
from tests.engine.asynchronous import is_idle, read, until
from tests.engine.conftest import StartEngine
from tests.engine.fakes import make_request, solo_tokens

NUM_STREAMS = 16
MAX_GROWTH_BYTES = 16 * 2**20


async def use(client: EngineClient, number: int, until_time: float) -> int:
    """One impatient user; checks every whole reply and returns how many there were."""
    dice = random.Random(number)
    num_checked = 0
    while time.monotonic() < until_time:
        length, max_tokens = dice.randint(1, 30), dice.randint(1, 30)
        request = make_request(
            tuple(dice.randint(1, 999) for _ in range(length)),
            max_tokens,
            num_choices=dice.choice((1, 1, 1, 2)),
            client=str(number % 4),
        )
        try:
            generation = client.submit(request)
        except QueueFull:
            await asyncio.sleep(0.001)
            continue
        if dice.random() < 0.4:
            await asyncio.sleep(dice.random() * 0.02)
            generation.cancel()
            continue
        reply = await read(generation)
        assert reply.error is None
        assert reply.tokens == {c: solo_tokens(request, c) for c in range(request.num_choices)}
        num_checked += 1
    return num_checked


async def run_for(client: EngineClient, seconds: float) -> int:
    end = time.monotonic() + seconds
    counts = await asyncio.gather(*(use(client, n, end) for n in range(NUM_STREAMS)))
    await until(lambda: is_idle(client))
    return sum(counts)


@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_memory_and_descriptors_stay_flat_under_random_cancels(
    start_engine: StartEngine,
) -> None:
    seconds = float(os.environ.get("GRANITE_SOAK_SECONDS", "20"))
    client = await start_engine(num_slots=8, num_pages=40, max_preemptions=100)
    pid = client.worker_pid
    processes = [psutil.Process(), psutil.Process(pid)]
    await run_for(client, seconds / 4)
    resident = [process.memory_info().rss for process in processes]
    descriptors = [process.num_fds() for process in processes]
    threads = [process.num_threads() for process in processes]
    assert await run_for(client, 3 * seconds / 4) > 0
    assert client.stats.preemptions > 0
    assert client.worker_pid == pid
    assert [process.num_fds() for process in processes] == descriptors
    assert [process.num_threads() for process in processes] == threads
    for process, before in zip(processes, resident, strict=True):
        assert process.memory_info().rss - before < MAX_GROWTH_BYTES
