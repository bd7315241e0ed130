"""A dialect with errors of its own shape: every error of its routes has it, whatever it is."""

from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.testclient import TestClient

from engine.errors import QueueFull
from server.app import assemble
from server.error_responses import shaped_errors
from server.errors import BadRequest, ErrorReply
from server.json_shapes import OBJECT
from server.settings import Settings
from tests.fakes import FakeEngine
from tests.server.probe import probe_app

ERRORS = {
    "refused": BadRequest("no", "n"),
    "full": QueueFull("full", retry_after=3),
    "bug": ValueError("a secret path"),
    "gone": ClientDisconnect(),
}


def flat(reply: ErrorReply) -> Response:
    return JSONResponse({"oops": reply.code}, 418 if reply.status == 400 else reply.status)


async def fail(kind: str) -> Response:
    raise ERRORS[kind]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    services = probe_app(FakeEngine(), Settings(api_key=[SecretStr("key")])).state.services
    router = APIRouter(route_class=shaped_errors(flat, services.metrics, OBJECT))
    router.add_api_route("/flat/{kind}", fail, methods=["POST"])
    with TestClient(assemble(services, [router]), base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("refused", 418, "invalid_value"),
        ("full", 503, "overloaded"),
        ("bug", 500, "server_error"),
    ],
)
def test_an_error_has_the_shape_and_status_of_its_dialect(
    client: TestClient, kind: str, status: int, code: str
) -> None:
    response = client.post(f"/flat/{kind}", headers={"authorization": "Bearer key"})
    assert (response.status_code, response.json()) == (status, {"oops": code})
    exposition = client.get("/metrics", headers={"authorization": "Bearer key"}).text
    assert f'code="{code}"' in exposition


def test_a_missing_key_has_the_shape_too(client: TestClient) -> None:
    response = client.post("/flat/refused")
    assert (response.status_code, response.json()) == (401, {"oops": "invalid_api_key"})


def test_a_client_that_left_is_no_error(client: TestClient) -> None:
    response = client.post("/flat/gone", headers={"authorization": "Bearer key"})
    assert response.status_code == 499


def test_other_routes_keep_openais_shape(client: TestClient) -> None:
    assert client.post("/elsewhere").json()["error"]["code"] == "not_found"
