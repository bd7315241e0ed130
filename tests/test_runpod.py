"""RunPod's dialect with the demo model: its own JavaScript client, and plain HTTP."""

from typing import Any

import httpx2
import pytest

from tests.conftest import DemoServer
from tests.npm_script import needs_npm, run_script

pytestmark = pytest.mark.slow


@needs_npm("runpod-sdk")
def test_the_javascript_client_runs_streams_and_cancels_jobs(demo_server: DemoServer) -> None:
    told = run_script("runpod.mjs", demo_server)
    whole, status = told["whole"], told["status"]
    assert (whole["succeeded"], status["succeeded"]) == (True, True)
    (output,) = whole["output"]
    (text,) = output["choices"][0]["tokens"]
    assert "stone" in text
    assert told["parts"] == status["output"]
    assert "".join(piece for part in told["parts"] for piece in tokens(part)) == text
    assert told["parts"][-1]["usage"] == output["usage"]
    assert output["cost"] > 0
    assert min(whole["delayTime"], whole["executionTime"]) >= 0
    assert told["cancelled"]["status"] == "CANCELLED"
    assert told["health"]["jobs"]["completed"] >= 2
    assert told["health"]["workers"]["ready"] == 1
    assert told["purged"] == {"removed": 0, "status": "completed"}


def tokens(output: dict[str, Any]) -> list[str]:
    pieces: list[str] = output["choices"][0]["tokens"]
    return pieces


def test_the_times_of_a_job_are_within_those_of_its_request(demo_server: DemoServer) -> None:
    body = {
        "input": {
            "prompt": "Once upon a time",
            "sampling_params": {"max_tokens": 40, "ignore_eos": True, "temperature": 0},
        }
    }
    response = httpx2.post(f"{demo_server.url}/v2/granite/runsync", json=body, timeout=60)
    job = response.json()
    assert job["status"] == "COMPLETED"
    measured = response.elapsed.total_seconds() * 1000
    assert 0 < job["executionTime"] <= measured + 1
    assert job["delayTime"] + job["executionTime"] <= measured + 2
    assert job["output"][0]["usage"]["output"] == 40
