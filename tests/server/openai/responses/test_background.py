"""Background responses: they go on without anybody, are followed, left, cancelled and recovered."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.errors import QueueFull, WorkerDied
from server.openai.responses import background as background_module
from tests.fakes import FakeEngine, Script
from tests.server.openai.responses.asking import (
    HELLO,
    RESPONSES,
    events,
    read,
    refusal,
    respond,
    stream,
    types,
)
from tests.server.openai.support import Bench, fake_engine, says

WAIT_SECONDS = 20.0
SLOW = says("slowly " * 200, delay=0.01)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_module, "FIRST_PAUSE_SECONDS", 0.01)


def started(client: TestClient, **fields: Any) -> str:
    response = respond(client, background=True, **fields)
    assert (response.status, response.background, response.output) == ("queued", True, [])
    return str(response.id)


def settled(client: TestClient, response_id: str, *, beyond: tuple[str, ...]) -> dict[str, Any]:
    """The response as soon as it is in none of these states."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        body: dict[str, Any] = client.get(f"{RESPONSES}/{response_id}").json()
        if body["status"] not in beyond:
            return body
        time.sleep(0.01)
    raise AssertionError(f"still {body['status']}")


def ended(client: TestClient, response_id: str) -> dict[str, Any]:
    return settled(client, response_id, beyond=("queued", "in_progress"))


def test_a_background_response_is_fetched_later(client: TestClient) -> None:
    response_id = started(client)
    body = ended(client, response_id)
    assert (body["status"], body["output"][0]["content"][0]["text"]) == ("completed", "Hi")
    assert read(client.get(f"{RESPONSES}/{response_id}")).output_text == "Hi"


def test_it_is_in_progress_as_soon_as_the_model_has_begun(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = SLOW
    response_id = started(client)
    assert settled(client, response_id, beyond=("queued",))["status"] == "in_progress"
    refused = client.post(RESPONSES, json=HELLO | {"previous_response_id": response_id})
    assert refusal(refused) == (400, "invalid_value", "previous_response_id")
    client.post(f"{RESPONSES}/{response_id}/cancel")


def test_a_cancelled_response_keeps_what_there_was_and_frees_its_slot(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = SLOW
    response_id = started(client)
    settled(client, response_id, beyond=("queued",))
    time.sleep(0.1)
    cancelled = read(client.post(f"{RESPONSES}/{response_id}/cancel"))
    assert cancelled.status == "cancelled"
    assert cancelled.output_text.startswith("slowly")
    assert cancelled.usage is not None
    assert cancelled.usage.output_tokens >= len("slowly")
    assert not engine.active
    assert read(client.post(f"{RESPONSES}/{response_id}/cancel")) == cancelled


def test_only_background_responses_can_be_cancelled(client: TestClient) -> None:
    response = respond(client)
    reply = client.post(f"{RESPONSES}/{response.id}/cancel")
    assert refusal(reply) == (400, "invalid_value", "response_id")
    background = started(client)
    body = ended(client, background)
    assert client.post(f"{RESPONSES}/{background}/cancel").json() == body


def test_a_deleted_one_stops(client: TestClient, engine: FakeEngine) -> None:
    engine.script = SLOW
    response_id = started(client)
    settled(client, response_id, beyond=("queued",))
    assert client.delete(f"{RESPONSES}/{response_id}").status_code == 200
    assert not engine.active
    assert client.get(f"{RESPONSES}/{response_id}").status_code == 404


def test_its_stream_says_that_it_waits_and_can_be_taken_up_again(client: TestClient) -> None:
    told = stream(client, background=True)
    assert types(told)[:3] == ["created", "queued", "in_progress"]
    assert types(told)[-1] == "completed"
    path = f"{RESPONSES}/{told[0].response.id}"
    assert events(client.get(path, params={"stream": "true"})) == told
    rest = events(client.get(path, params={"stream": "true", "starting_after": 4}))
    assert rest == told[5:]
    for number in ("x", "-1", "9" * 5000):
        reply = client.get(path, params={"stream": "true", "starting_after": number})
        assert refusal(reply)[2] == "starting_after"


@pytest.mark.parametrize("beyond", [0, 7])
def test_after_the_last_event_there_is_an_empty_stream(client: TestClient, beyond: int) -> None:
    told = stream(client, background=True)
    path = f"{RESPONSES}/{told[0].response.id}"
    seen = told[-1].sequence_number + beyond
    reply = client.get(path, params={"stream": "true", "starting_after": seen})
    assert (reply.status_code, reply.text) == (200, "")


def test_whoever_leaves_the_stream_does_not_stop_it(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("Hi there", delay=0.01)
    body = HELLO | {"background": True, "stream": True}
    with client.stream("POST", RESPONSES, json=body) as reply:
        next(reply.iter_lines())
    response_id = engine.requests[-1].request_id.removesuffix("-0")
    assert ended(client, response_id)["status"] == "completed"


def test_an_older_ones_events_are_not_kept(client: TestClient) -> None:
    response = respond(client)
    reply = client.get(f"{RESPONSES}/{response.id}", params={"stream": "true"})
    assert refusal(reply) == (400, "invalid_value", "stream")


def test_it_waits_for_a_place_in_a_full_queue(
    client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "submit_error", QueueFull("full"))
    response_id = started(client)
    time.sleep(0.1)
    assert client.get(f"{RESPONSES}/{response_id}").json()["status"] == "queued"
    monkeypatch.setattr(engine, "submit_error", None)
    assert ended(client, response_id)["status"] == "completed"


def test_errors_are_told_in_the_response(client: TestClient, engine: FakeEngine) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    body = ended(client, started(client))
    assert (body["status"], body["error"]["code"]) == ("failed", "server_error")
    body = ended(client, started(client, input="x" * 5000))
    assert (body["status"], body["error"]["code"]) == ("failed", "invalid_prompt")


def test_there_is_a_limit_to_what_runs_at_once(
    client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_module, "MAX_RUNNING", 1)
    engine.script = SLOW
    response_id = started(client)
    refused = client.post(RESPONSES, json=HELLO | {"background": True})
    assert refusal(refused) == (503, "overloaded", None)
    client.post(f"{RESPONSES}/{response_id}/cancel")
    engine.script = says("Hi")
    assert ended(client, started(client))["status"] == "completed"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "storage.sqlite3")


def test_what_a_restart_broke_off_is_failed(bench: Bench, storage: str) -> None:
    engine = fake_engine(SLOW)
    with TestClient(bench.app(engine, storage=storage), base_url="http://localhost") as client:
        response_id = started(client)
        settled(client, response_id, beyond=("queued",))
    with TestClient(bench.app(engine, storage=storage), base_url="http://localhost") as client:
        body = ended(client, response_id)
        assert (body["status"], body["error"]["code"]) == ("failed", "server_error")
        assert "restarted" in body["error"]["message"]
