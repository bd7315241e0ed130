"""Batches: begun with queueRequest, done beside other traffic, and polled for."""

import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.errors import QueueFull, WorkerDied
from engine.request import GenerationRequest
from tests.fakes import FakeEngine, Script
from tests.server.cloudflare.conftest import HELLO, MODEL, ONCE, RUN, Ask
from tests.server.openai.support import Bench, fake_engine, says

QUEUED = "?queueRequest=true"
LONG = {"prompt": "x" * 5000, "external_reference": "long"}
BATCH: dict[str, Any] = {
    "requests": [ONCE | {"external_reference": "first"}, HELLO | {"max_tokens": 1}, LONG]
}


def polled(ask: Ask, request_id: str) -> dict[str, Any]:
    """The result of a batch once it is there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        result = ask({"request_id": request_id}, QUEUED)
        if "responses" in result:
            return result
        assert result["status"] in ("queued", "running")
        assert (result["request_id"], result["model"]) == (request_id, MODEL)
        time.sleep(0.01)
    raise AssertionError("the batch did not end")


def test_a_batch_is_queued_and_answered_in_the_order_of_its_requests(ask: Ask) -> None:
    begun = ask(BATCH, QUEUED)
    assert (begun["status"], begun["model"]) == ("queued", MODEL)
    result = polled(ask, begun["request_id"])
    first, second, long = result["responses"]
    assert [response["id"] for response in result["responses"]] == [0, 1, 2]
    assert (first["success"], first["external_reference"]) == (True, "first")
    assert (first["result"]["response"], second["result"]["response"]) == ("Hi", "H")
    assert second["external_reference"] is None
    assert (long["success"], long["result"], long["external_reference"]) == (False, None, "long")
    assert long["errors"][0]["code"] == 5021
    used = [response["result"]["usage"]["total_tokens"] for response in (first, second)]
    assert result["usage"]["total_tokens"] == sum(used)
    assert polled(ask, begun["request_id"]) == result, "it may be fetched again"


def test_a_batch_may_be_waited_for(ask: Ask) -> None:
    result = ask(BATCH)
    assert [response["success"] for response in result["responses"]] == [True, True, False]


def test_what_failed_counts_as_far_as_it_went(ask: Ask, engine: FakeEngine) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    result = ask({"requests": [ONCE]})
    assert result["responses"][0]["success"] is False
    prompt_tokens = len(engine.requests[-1].prompt_ids)
    assert result["usage"] == {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": 2,
        "total_tokens": prompt_tokens + 2,
    }


def test_items_of_a_batch_have_a_default_of_their_own(ask: Ask, engine: FakeEngine) -> None:
    ask({"requests": [ONCE]})
    assert engine.requests[-1].sampling.max_tokens == 256
    ask({"requests": [ONCE | {"max_tokens": 300}]})
    assert engine.requests[-1].sampling.max_tokens == 300


def test_a_batch_leaves_places_to_others(bench: Bench) -> None:
    running: list[int] = []

    def script(_: GenerationRequest) -> Script:
        running.append(len(engine.active))
        return says("Hi", delay=0.01)

    engine = fake_engine(script)
    app = bench.app(engine, max_sequences=4)
    with TestClient(app, base_url="http://localhost") as client:
        response = client.post(RUN, json={"requests": [ONCE] * 8})
    assert len(response.json()["result"]["responses"]) == 8
    assert max(running) == 2


def test_a_queued_batch_waits_while_the_model_is_busy(ask: Ask, engine: FakeEngine) -> None:
    engine.submit_error = QueueFull("full", 1)
    try:
        begun = ask({"requests": [ONCE]}, QUEUED)
        time.sleep(0.05)
        assert ask({"request_id": begun["request_id"]})["status"] == "running"
    finally:
        engine.submit_error = None
    (response,) = polled(ask, begun["request_id"])["responses"]
    assert response["success"] is True


def test_only_a_queued_batch_gives_way_to_others(ask: Ask, engine: FakeEngine) -> None:
    ask({"requests": [ONCE]})
    assert engine.requests[-1].is_background is False
    polled(ask, ask({"requests": [ONCE]}, QUEUED)["request_id"])
    assert engine.requests[-1].is_background is True


def test_a_batch_is_private_to_its_key(bench: Bench) -> None:
    first, second = ({"authorization": f"Bearer {key}"} for key in ("one", "two"))
    app = bench.app(fake_engine(says("Hi")), api_key=["one", "two"])
    with TestClient(app, base_url="http://localhost") as client:
        begun = client.post(RUN + QUEUED, json={"requests": [ONCE]}, headers=first)
        poll = {"request_id": begun.json()["result"]["request_id"]}
        assert client.post(RUN, json=poll, headers=second).status_code == 404
        assert client.post(RUN, json=poll, headers=first).status_code == 200


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"requests": []}, "requests"),
        ({"requests": [ONCE, {"prompt": "x", "top_k": 51}]}, "requests[1]: top_k"),
        ({"requests": [{"query": "x"}]}, "requests[0]: the body needs"),
        ({"requests": [ONCE | {"stream": True}]}, "requests[0]: a batch is not streamed"),
        ({"requests": [ONCE | {"lora": "x"}]}, "requests[0]: lora"),
        ({"requests": [ONCE], "prompt": "x"}, "prompt"),
        ({"requests": [ONCE], "stream": True}, "stream"),
        (ONCE, "queueRequest needs requests"),
        ({"request_id": "x", "prompt": "x"}, "prompt"),
    ],
)
def test_a_batch_with_a_mistake_is_not_begun(
    client: TestClient, engine: FakeEngine, body: dict[str, Any], named: str
) -> None:
    num_before = len(engine.requests)
    response = client.post(RUN + QUEUED, json=body)
    assert response.status_code == 400, response.text
    assert named in response.json()["errors"][0]["message"]
    assert len(engine.requests) == num_before
