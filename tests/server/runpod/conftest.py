"""A scripted server, and short ways to give it jobs."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.support import Bench, fake_engine, says

Job = dict[str, Any]
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")


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


@pytest.fixture
def run(client: TestClient) -> Callable[..., Job]:
    """Run a job and return it as it is at its end."""

    def run(**given: Any) -> Job:
        body = {"input": {"prompt": "Once", **given}}
        response = client.post("/v2/granite/runsync", json=body)
        assert response.status_code == 200, response.text
        job: Job = response.json()
        return job

    return run


def ended(client: TestClient, job_id: str, endpoint: str = "granite") -> Job:
    """The job once it is over."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        job: Job = client.get(f"/v2/{endpoint}/status/{job_id}").json()
        if job["status"] in FINAL:
            return job
        time.sleep(0.01)
    raise AssertionError("the job did not end")
