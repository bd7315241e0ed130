import asyncio
from dataclasses import replace

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from benchmarks.worker_time import WorkerSeconds, read_worker_seconds
from engine.interface import EngineStats
from server.metrics import Metrics
from tests.fakes import FakeEngine


class BusyEngine(FakeEngine):
    @property
    def stats(self) -> EngineStats:
        return replace(
            super().stats,
            step_seconds=4.0,
            forward_seconds=2.0,
            sampling_seconds=0.5,
            mask_seconds=0.5,
        )


def read(response: httpx2.Response) -> WorkerSeconds | None:
    async def get() -> WorkerSeconds | None:
        transport = httpx2.MockTransport(lambda _: response)
        async with httpx2.AsyncClient(transport=transport) as client:
            return await read_worker_seconds(client, "http://server")

    return asyncio.run(get())


def test_our_metrics_page_says_how_the_worker_spends_its_steps() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.watch(BusyEngine())
    seconds = read(httpx2.Response(200, content=metrics.exposition()))
    assert seconds == WorkerSeconds(step=4.0, forward=2.0, sampling=0.5, mask=0.5)
    assert seconds.share_outside == pytest.approx(0.25)


def test_a_server_without_these_metrics_has_no_share() -> None:
    assert read(httpx2.Response(404)) is None
    assert read(httpx2.Response(200, text="# TYPE up gauge\nup 1\n")) is None


def test_the_share_is_of_the_steps_between_two_readings() -> None:
    before = WorkerSeconds(step=10.0, forward=1.0, sampling=1.0)
    after = WorkerSeconds(step=20.0, forward=9.0, sampling=2.0)
    assert after.since(before).share_outside == pytest.approx(0.1)
    assert before.since(before).share_outside is None
