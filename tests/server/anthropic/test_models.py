"""The list of models, for those who say that they are Anthropic's clients."""

from typing import Any

import pytest
from anthropic.types import ModelInfo
from starlette.testclient import TestClient

from tests.server.openai.support import ALIAS, MODEL

VERSION = {"anthropic-version": "2023-06-01"}


def listed(client: TestClient, **query: Any) -> dict[str, Any]:
    response = client.get("/v1/models", params=query, headers=VERSION)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    for model in page["data"]:
        ModelInfo.model_validate(model)
    return page


def test_the_shape_follows_the_header(client: TestClient) -> None:
    page = listed(client)
    assert [model["id"] for model in page["data"]] == [MODEL, ALIAS]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (MODEL, ALIAS, False)
    assert page["data"][0]["max_input_tokens"] == 4095
    assert client.get("/v1/models").json()["object"] == "list"
    one = client.get(f"/v1/models/{ALIAS}", headers=VERSION).json()
    assert (one["id"], one["type"]) == (ALIAS, "model")
    assert client.get(f"/v1/models/{ALIAS}").json()["object"] == "model"


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ({"limit": 1}, [MODEL], True),
        ({"limit": 1, "after_id": MODEL}, [ALIAS], False),
        ({"after_id": ALIAS}, [], False),
        ({"limit": 1, "before_id": ALIAS}, [MODEL], False),
        ({"before_id": MODEL}, [], False),
    ],
)
def test_pages(client: TestClient, query: dict[str, Any], ids: list[str], has_more: bool) -> None:
    page = listed(client, **query)
    assert [model["id"] for model in page["data"]] == ids
    assert page["has_more"] is has_more


@pytest.mark.parametrize(
    "path", ["?limit=0", "?limit=1001", "?limit=x", "?after_id=x", "?before_id=x", "/x"]
)
def test_what_is_not_there(client: TestClient, path: str) -> None:
    response = client.get(f"/v1/models{path}", headers=VERSION)
    assert response.status_code == (404 if path == "/x" else 400)
    assert response.json()["type"] == "error"
