"""A whole server around a scripted engine: fixtures for the conftest.py of a dialect's tests."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.support import Bench, fake_engine, says


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
