import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import torch

from engine.client import EngineClient
from engine.interface import EngineState
from engine.supervisor import RestartPolicy
from model_loader.load import LoadedModel, load_model
from tests.engine.asynchronous import until
from tests.engine.fakes import small_options
from tests.tiny_checkpoint import write_checkpoint

StartEngine = Callable[..., Awaitable[EngineClient]]
FAKE_WORKER = (sys.executable, "-m", "tests.engine.fake_worker")


@pytest.fixture
async def start_engine() -> AsyncIterator[StartEngine]:
    """Starts clients with the fake worker and small options; stops them after the test."""
    clients: list[EngineClient] = []

    async def start(
        *, until_ready: bool = True, command: tuple[str, ...] = FAKE_WORKER, **changes: object
    ) -> EngineClient:
        policy = RestartPolicy(first_delay_seconds=0.01)
        client = EngineClient(small_options(**changes), command=command, policy=policy)
        clients.append(client)
        await client.start()
        if until_ready:
            await until(lambda: client.state is EngineState.READY)
        return client

    yield start
    for client in clients:
        await client.stop()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def model(directory: Path) -> LoadedModel:
    return load_model(directory, torch.float32, torch.device("cpu"), lambda _: None)
