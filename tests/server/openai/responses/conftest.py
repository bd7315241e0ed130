"""A server with a storage, over a scripted engine, for each module."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.support import Bench


@pytest.fixture(scope="module")
def client(
    bench: Bench, engine: FakeEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    storage = str(tmp_path_factory.mktemp("responses") / "storage.sqlite3")
    with TestClient(bench.app(engine, storage=storage), base_url="http://localhost") as client:
        yield client
