"""A scripted server, and OpenRouter's own client to look at it with."""

from collections.abc import Iterator

import pytest
from openrouter import OpenRouter
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.support import Bench, fake_engine, says

KEY = "k" * 32


@pytest.fixture(scope="package")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench.in_directory(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    """One for a module; a test may give it another script."""
    return fake_engine(says("Hi"))


@pytest.fixture(autouse=True)
def plain_script(engine: FakeEngine) -> None:
    """Each test begins with the same answer."""
    engine.script = says("Hi")


@pytest.fixture(scope="module")
def client(bench: Bench, engine: FakeEngine) -> Iterator[TestClient]:
    with TestClient(bench.app(engine), base_url="http://localhost") as client:
        yield client


@pytest.fixture(scope="module")
def sdk(bench: Bench, engine: FakeEngine) -> Iterator[OpenRouter]:
    with bench.live(engine, api_key=[KEY]) as port:
        url = f"http://127.0.0.1:{port}/api/v1"
        with OpenRouter(api_key=KEY, server_url=url, http_referer="https://app.example") as sdk:
            yield sdk
