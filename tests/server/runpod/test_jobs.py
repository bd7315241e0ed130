"""Jobs: their states, their times, their outputs, and what can be done with them."""

import re
import time
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from engine.errors import QueueFull, WorkerDied
from tests.fakes import FakeEngine, Script
from tests.server.openai.support import Bench, fake_engine, says
from tests.server.runpod.conftest import Job, ended

SLOW = says("Hi", prefill_delay=30.0)
ONCE = {"input": {"prompt": "Once"}}


def begin(client: TestClient, **given: object) -> str:
    response = client.post("/v2/granite/run", json={**ONCE, **given})
    assert response.json()["status"] == "IN_QUEUE", response.text
    return str(response.json()["id"])


def test_a_job_that_is_waited_for_comes_with_output_times_and_cost(
    run: Callable[..., Job], engine: FakeEngine
) -> None:
    engine.script = says("Hi there", prefill_delay=0.05, delay=0.01)
    job = run()
    assert re.fullmatch(r"sync-[0-9a-f-]{36}-u1", job["id"])
    assert job["status"] == "COMPLETED"
    (output,) = job["output"]
    assert output["choices"] == [{"tokens": ["Hi there"]}]
    assert output["usage"] == {"input": 4, "output": 9}
    assert output["cost"] == pytest.approx((4 * 0.017 + 9 * 0.112) / 1e6)
    assert job["delayTime"] >= 50
    assert job["executionTime"] >= 80
    assert re.fullmatch(r"[0-9a-f]{14}", job["workerId"])


def test_a_conversation_is_rendered_and_a_prompt_is_not(
    run: Callable[..., Job], engine: FakeEngine
) -> None:
    run()
    assert engine.requests[-1].prompt_ids == tuple(b"Once")
    run(apply_chat_template=True)
    templated = engine.requests[-1].prompt_ids
    run(messages=[{"role": "user", "content": "Once"}])
    assert engine.requests[-1].prompt_ids == templated != tuple(b"Once")


def test_a_job_in_the_background_can_be_looked_at_until_its_end(client: TestClient) -> None:
    job_id = begin(client)
    job = ended(client, job_id)
    assert (job["id"], job["status"]) == (job_id, "COMPLETED")
    assert job["output"][0]["choices"] == [{"tokens": ["Hi"]}]
    assert client.get(f"/v2/granite/status-sync/{job_id}").json() == job


def test_a_streamed_output_adds_up_to_the_whole_one(
    client: TestClient, engine: FakeEngine, run: Callable[..., Job]
) -> None:
    engine.script = says("one two three four", delay=0.005)
    whole = run()["output"][0]
    job_id = begin(client, input={"prompt": "Once", "stream": True, "max_batch_size": 6})
    outputs, answer = [], {"status": ""}
    while answer["status"] != "COMPLETED":
        answer = client.get(f"/v2/granite/stream/{job_id}").json()
        outputs += [part["output"] for part in answer["stream"]]
    sizes = [len(output["choices"][0]["tokens"]) for output in outputs]
    assert sizes == [1, 3, 6, 6, 2]
    joined = "".join(text for output in outputs for text in output["choices"][0]["tokens"])
    assert [joined] == whole["choices"][0]["tokens"]
    assert (outputs[-1]["usage"], outputs[-1]["cost"]) == (whole["usage"], whole["cost"])
    assert client.get(f"/v2/granite/stream/{job_id}").json()["stream"] == []
    assert client.get(f"/v2/granite/status/{job_id}").json()["output"] == outputs


def test_several_choices_are_apart(run: Callable[..., Job]) -> None:
    (whole,) = run(sampling_params={"n": 2})["output"]
    assert whole["choices"] == [{"tokens": ["Hi"]}, {"tokens": ["Hi"]}]
    assert whole["usage"] == {"input": 4, "output": 6}
    parts = run(sampling_params={"n": 2}, stream=True)["output"]
    for index in (0, 1):
        texts = [text for part in parts for text in part["choices"][index]["tokens"]]
        assert "".join(texts) == "Hi"


def test_best_of_shows_fewer_than_it_generates(run: Callable[..., Job], engine: FakeEngine) -> None:
    (output,) = run(sampling_params={"best_of": 3})["output"]
    assert output["choices"] == [{"tokens": ["Hi"]}]
    assert output["usage"]["output"] == 9
    assert engine.requests[-1].num_choices == 3


def test_waiting_ends_before_the_job_if_so_wished(client: TestClient, engine: FakeEngine) -> None:
    engine.script = SLOW
    response = client.post("/v2/granite/runsync?wait=1000", json=ONCE)
    job = response.json()
    assert (response.status_code, job["status"]) == (200, "IN_QUEUE")
    assert "output" not in job
    cancelled = client.post(f"/v2/granite/cancel/{job['id']}").json()
    assert cancelled == {"id": job["id"], "status": "CANCELLED"}


def test_a_cancelled_job_frees_its_slot_and_stays_cancelled(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("Hi" * 50, delay=0.5)
    job_id = begin(client)
    deadline = time.monotonic() + 20
    path = f"/v2/granite/status/{job_id}"
    while client.get(path).json()["status"] != "IN_PROGRESS" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.post(f"/v2/granite/cancel/{job_id}").json()["status"] == "CANCELLED"
    assert ended(client, job_id)["status"] == "CANCELLED"
    while engine.active and time.monotonic() < deadline:
        time.sleep(0.01)
    assert engine.active == set()
    assert client.post(f"/v2/granite/retry/{job_id}").status_code == 400


def test_a_failed_job_says_why_and_can_be_retried(client: TestClient, engine: FakeEngine) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    job_id = begin(client)
    failed = ended(client, job_id)
    assert failed["status"] == "FAILED"
    assert "worker ended" in failed["error"]
    assert "killed" not in failed["error"]
    assert "output" not in failed
    engine.script = says("Hi")
    retried = client.post(f"/v2/granite/retry/{job_id}")
    assert retried.json() == {"id": job_id, "status": "IN_QUEUE"}
    again = ended(client, job_id)
    assert (again["status"], again["output"][0]["usage"]["output"]) == ("COMPLETED", 3)
    refused = client.post(f"/v2/granite/retry/{job_id}")
    assert refused.status_code == 400
    assert "failed or timed out" in refused.json()["error"]


@pytest.mark.slow
def test_a_job_may_be_worked_on_for_a_limited_time(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("Hi", delay=30.0)
    job_id = begin(client, policy={"executionTimeout": 5000})
    job = ended(client, job_id)
    assert job["status"] == "TIMED_OUT"
    assert job["executionTime"] >= 5000
    engine.script = says("Hi")
    assert client.post(f"/v2/granite/retry/{job_id}").status_code == 200
    assert ended(client, job_id)["status"] == "COMPLETED"


def test_purging_removes_what_waits_and_leaves_what_runs(bench: Bench) -> None:
    engine = fake_engine(says("Hi" * 50, delay=0.5))
    with TestClient(bench.app(engine), base_url="http://localhost") as client:
        running = begin(client)
        client.get(f"/v2/granite/stream/{running}")
        engine.script = SLOW
        waiting = begin(client)
        health = client.get("/v2/granite/health").json()
        assert (health["jobs"]["inProgress"], health["jobs"]["inQueue"]) == (1, 1)
        assert health["workers"]["running"] == 1
        purged = client.post("/v2/granite/purge-queue")
        assert purged.json() == {"removed": 1, "status": "completed"}
        assert client.get(f"/v2/granite/status/{waiting}").status_code == 404
        assert client.get(f"/v2/granite/status/{running}").json()["status"] == "IN_PROGRESS"
    assert engine.active == set(), "the application stops its jobs when it ends"


def test_health_counts_jobs_by_their_state(bench: Bench) -> None:
    engine = fake_engine(says("Hi"))
    with TestClient(bench.app(engine), base_url="http://localhost") as client:
        client.post("/v2/granite/runsync", json=ONCE)
        client.post("/v2/other/runsync", json=ONCE)
        engine.script = Script(token_ids=(), error=WorkerDied("killed"))
        failed = client.post("/v2/granite/runsync", json=ONCE).json()
        engine.script = says("Hi")
        client.post(f"/v2/granite/retry/{failed['id']}")
        ended(client, failed["id"])
        health = client.get("/v2/granite/health").json()
    counts = {"completed": 2, "failed": 0, "inProgress": 0, "inQueue": 0, "retried": 1}
    assert health["jobs"] == counts
    assert (health["workers"]["idle"], health["workers"]["unhealthy"]) == (1, 0)


def test_jobs_are_private_to_key_and_endpoint(bench: Bench) -> None:
    first, second = ({"authorization": f"Bearer {key}"} for key in ("one", "two"))
    app = bench.app(fake_engine(says("Hi")), api_key=["one", "two"])
    with TestClient(app, base_url="http://localhost") as client:
        job_id = client.post("/v2/granite/runsync", json=ONCE, headers=first).json()["id"]
        for verb, way in [("GET", "status"), ("GET", "stream"), ("POST", "cancel")]:
            path = f"/v2/granite/{way}/{job_id}"
            assert client.request(verb, path, headers=second).status_code == 404
            other = f"/v2/other/{way}/{job_id}"
            assert client.request(verb, other, headers=first).status_code == 404
            assert client.request(verb, path, headers=first).status_code == 200
        empty = client.get("/v2/granite/health", headers=second).json()
        assert set(empty["jobs"].values()) == {0}
        nobody = client.post("/v2/granite/run", json=ONCE)
        assert (nobody.status_code, list(nobody.json())) == (401, ["error"])


def test_a_job_can_be_forgotten_earlier(client: TestClient) -> None:
    job_id = begin(client)
    ended(client, job_id)
    assert client.get(f"/v2/granite/status/{job_id}?ttl=1").status_code == 200
    time.sleep(0.01)
    gone = client.get(f"/v2/granite/status/{job_id}")
    assert (gone.status_code, list(gone.json())) == (404, ["error"])


def test_a_full_queue_asks_to_try_again_as_clients_expect_it(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.submit_error = QueueFull("full", 7)
    try:
        response = client.post("/v2/granite/run", json=ONCE)
    finally:
        engine.submit_error = None
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert "busy" in response.json()["error"]


def test_openais_routes_are_under_every_endpoint(client: TestClient) -> None:
    body = {"model": "granite-test", "messages": [{"role": "user", "content": "Hello"}]}
    chat = client.post("/v2/granite/openai/v1/chat/completions", json=body).json()
    assert chat["choices"][0]["message"]["content"] == "Hi"
    completion = client.post(
        "/v2/granite/openai/v1/completions", json={"model": "granite-test", "prompt": "Once"}
    )
    assert completion.json()["choices"][0]["text"] == "Hi"
    models = client.get("/v2/granite/openai/v1/models").json()
    assert models["data"][0]["id"] == "granite-test"
