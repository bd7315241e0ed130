"""Every error of the dialect has OpenRouter's shape: status as code, a typed reason beside it."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.errors import DeadlineExceeded, NumericError, OutOfMemory, QueueFull, WorkerDied
from kernels.errors import GraniteError
from server.errors import BodyTooLarge, HostNotAllowed, InvalidApiKey, describe
from server.openrouter.errors import error_fields, error_response
from tests.fakes import FakeEngine
from tests.server.openai.support import HELLO

CHAT = "/api/v1/chat/completions"


@pytest.mark.parametrize(
    ("fields", "error_type", "param"),
    [
        ({"temperature": 3}, "invalid_request", "temperature"),
        ({"messages": []}, "invalid_request", "messages"),
        ({"audio": {}}, "invalid_request", "audio"),
        ({"plugins": [{"id": "web"}]}, "invalid_request", "plugins"),
        ({"max_tokens": 5000}, "context_length_exceeded", "messages"),
        ({"model": "gpt-4o"}, "invalid_request", "model"),
    ],
    ids=str,
)
def test_a_wrong_request_is_typed_and_names_its_field(
    client: TestClient, fields: dict[str, Any], error_type: str, param: str
) -> None:
    response = client.post(CHAT, json={**HELLO, **fields})
    assert response.status_code == 400
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "metadata"}
    assert body["error"]["code"] == 400
    assert body["error"]["metadata"]["error_type"] == error_type
    assert body["error"]["metadata"]["param"] == param


@pytest.mark.parametrize(
    ("error", "status", "error_type"),
    [
        (InvalidApiKey("no"), 401, "authentication"),
        (HostNotAllowed("no"), 403, "permission_denied"),
        (DeadlineExceeded("late"), 408, "timeout"),
        (BodyTooLarge("big"), 413, "payload_too_large"),
        (ValueError("a secret path"), 500, "server"),
        (WorkerDied("killed"), 502, "provider_unavailable"),
        (NumericError("nan"), 502, "provider_unavailable"),
        (QueueFull("full", 3), 503, "provider_overloaded"),
        (OutOfMemory("full"), 503, "provider_overloaded"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_error_has_a_status_and_a_type(
    error: GraniteError, status: int, error_type: str
) -> None:
    reply = describe(error)
    fields = error_fields(reply)
    assert (fields["code"], fields["metadata"]["error_type"]) == (status, error_type)
    response = error_response(reply)
    assert response.status_code == status
    assert response.headers.get("retry-after") == reply.headers.get("retry-after")


def test_a_bug_keeps_its_details_to_itself() -> None:
    fields = error_fields(describe(ValueError("a secret path")))
    assert "secret" not in str(fields)
    assert fields["metadata"] == {"error_type": "server"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/generation", 400),
        ("/api/v1/generation?id=gen-0", 404),
        ("/v1/generation?id=chatcmpl-0", 404),
        ("/api/v1/model/openai/gpt-4o", 404),
        ("/api/v1/models/openai/gpt-4o/endpoints", 404),
    ],
)
def test_what_is_not_there_is_said_in_the_same_shape(
    client: TestClient, path: str, status: int
) -> None:
    response = client.get(path)
    assert response.status_code == response.json()["error"]["code"] == status


def test_models_and_generations_while_loading_and_without_a_body(
    client: TestClient, engine: FakeEngine
) -> None:
    response = client.post(CHAT, content=b"{", headers={"content-type": "application/json"})
    assert response.json()["error"]["metadata"]["provider_code"] == "invalid_json"
    engine.submit_error = WorkerDied("killed")
    try:
        response = client.post(CHAT, json={**HELLO, "stream": True})
    finally:
        engine.submit_error = None
    assert response.status_code == response.json()["error"]["code"] == 502
