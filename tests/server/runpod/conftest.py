"""A scripted server, and short ways to give it jobs."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.scripted import bench, client, engine, plain_script

__all__ = ["bench", "client", "engine", "plain_script"]

Job = dict[str, Any]
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")


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
