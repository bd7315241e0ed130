"""GET /v1/models and GET /v1/models/{id}."""

from openai.types import Model
from starlette.testclient import TestClient

from tests.server.openai.support import ALIAS, MODEL, Bench, fake_engine, says


def test_all_served_names_are_listed_with_their_context(client: TestClient) -> None:
    body = client.get("/v1/models").json()
    assert body["object"] == "list"
    assert [card["id"] for card in body["data"]] == [MODEL, ALIAS]
    for card in body["data"]:
        Model.model_validate(card, strict=True)
        assert card["max_model_len"] == card["context_length"] == 4096


def test_a_name_may_have_a_slash(client: TestClient) -> None:
    for name in (MODEL, ALIAS):
        card = client.get(f"/v1/models/{name}").json()
        assert card["id"] == name
        assert card in client.get("/v1/models").json()["data"]


def test_a_model_that_is_not_served_is_not_found(client: TestClient) -> None:
    for name in ("gpt-4o", MODEL.upper(), f"{MODEL}/", "..%2f..%2fetc%2fpasswd"):
        response = client.get(f"/v1/models/{name}")
        assert response.status_code == 404, name
        assert response.json()["error"]["code"] in ("model_not_found", "not_found")


def test_models_are_listed_while_they_are_still_loading(bench: Bench) -> None:
    engine = fake_engine(says("Hi"), load_seconds=60)
    with TestClient(bench.app(engine), base_url="http://localhost") as client:
        card = client.get(f"/v1/models/{MODEL}").json()
        assert (card["id"], card["context_length"]) == (MODEL, None)
        for route in ("/v1/chat/completions", "/tokenize"):
            body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
            response = client.post(route, json=body)
            assert response.status_code == 503
            assert "retry-after" in response.headers
