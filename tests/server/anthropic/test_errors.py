"""Errors have Anthropic's shape, types and statuses, wherever on its routes they come from."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    OutOfMemory,
    QueueFull,
    QueueTimeout,
    WorkerDied,
)
from tests.fakes import FakeEngine
from tests.server.anthropic.asking import COUNT, HELLO, MESSAGES, refused
from tests.server.openai.support import Bench, fake_engine, says

KEY = "k" * 32


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (QueueFull("full", retry_after=7), 529, "overloaded_error"),
        (QueueTimeout("late"), 529, "overloaded_error"),
        (OutOfMemory("no pages"), 529, "overloaded_error"),
        (EngineUnavailable("loading"), 503, "overloaded_error"),
        (DeadlineExceeded("slow"), 504, "timeout_error"),
        (WorkerDied("a secret path"), 500, "api_error"),
        (ValueError("a secret path"), 500, "api_error"),
    ],
)
def test_failures_of_the_server(
    client: TestClient, engine: FakeEngine, error: Exception, status: int, kind: str
) -> None:
    engine.submit_error = error
    try:
        response = client.post(MESSAGES, json=HELLO)
        assert "secret" not in refused(client, status)
        assert "secret" not in refused(client, status, stream=True)
    finally:
        engine.submit_error = None
    assert (response.status_code, response.json()["error"]["type"]) == (status, kind)
    if isinstance(error, QueueFull):
        assert response.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        ({"json": HELLO | {"model": "claude-opus-5"}}, 404, "not_found_error"),
        ({"json": {"model": "x"}}, 400, "invalid_request_error"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, None),
        ({"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, None),
        ({"json": HELLO | {"system": "x" * 5000}}, 413, "request_too_large"),
    ],
)
def test_requests_that_cannot_be_answered(
    bench: Bench, request_: dict[str, Any], status: int, kind: str | None
) -> None:
    app = bench.app(fake_engine(says("Hi")), max_body_bytes=4000)
    with TestClient(app, base_url="http://localhost") as client:
        for route in (MESSAGES, COUNT, f"/api{MESSAGES}"):
            response = client.post(route, **request_)
            told = response.json()
            assert (response.status_code, told["type"]) == (status, "error")
            assert told["error"]["type"] == (kind or "invalid_request_error")
            assert told["request_id"] == response.headers["request-id"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"x-api-key": "wrong"}, 401),
        ({"x-api-key": KEY}, 200),
        ({"authorization": f"Bearer {KEY}"}, 200),
    ],
)
def test_a_key_is_needed_in_one_of_two_headers(
    bench: Bench, headers: dict[str, str], status: int
) -> None:
    app = bench.app(fake_engine(says("Hi")), api_key=[KEY])
    with TestClient(app, base_url="http://localhost") as client:
        response = client.post(MESSAGES, json=HELLO, headers=headers)
        assert response.status_code == status
        if status == 401:
            assert response.json()["error"]["type"] == "authentication_error"


def test_unknown_fields_are_refused_if_the_server_is_told_so(bench: Bench) -> None:
    app = bench.app(fake_engine(says("Hi")), strict_fields=True)
    with TestClient(app, base_url="http://localhost") as client:
        assert "colour" in refused(client, 400, colour=1)


def test_batches_of_messages_are_refused(client: TestClient) -> None:
    response = client.post(f"{MESSAGES}/batches", json={"requests": []})
    assert response.status_code == 404
    assert response.json()["error"]["type"] == "not_found_error"
    assert client.get(f"{MESSAGES}/batches/x/results").json()["type"] == "error"
