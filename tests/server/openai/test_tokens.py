"""POST /tokenize and POST /detokenize: the same ids and counts as the routes that generate."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.replies import chat, completion
from tests.server.openai.support import HELLO, MODEL, VOCAB_SIZE, Bench


def test_the_count_of_messages_is_what_usage_says(client: TestClient, engine: FakeEngine) -> None:
    body = client.post("/tokenize", json=HELLO).json()
    usage = chat(client).usage
    assert usage is not None
    assert body["count"] == len(body["tokens"]) == usage.prompt_tokens
    assert tuple(body["tokens"]) == engine.requests[-1].prompt_ids
    assert body["max_model_len"] == 4096


@pytest.mark.parametrize("parse_special", [False, True])
def test_the_count_of_a_prompt_is_what_usage_says(client: TestClient, parse_special: bool) -> None:
    prompt = {"prompt": "a <|pad|> 漢", "parse_special": parse_special}
    body = client.post("/tokenize", json=prompt).json()
    usage = completion(client, **prompt).usage
    assert usage is not None
    assert body["count"] == usage.prompt_tokens


def test_the_model_may_be_left_out_but_not_be_wrong(client: TestClient) -> None:
    assert client.post("/tokenize", json={"prompt": "a"}).status_code == 200
    assert client.post("/tokenize", json={"prompt": "a", "model": MODEL}).status_code == 200
    for route in ("/tokenize", "/detokenize"):
        body = {"prompt": "a", "tokens": [1], "model": "other"}
        assert client.post(route, json=body).status_code == 404


def test_a_text_longer_than_the_context_is_counted(client: TestClient) -> None:
    body = client.post("/tokenize", json={"prompt": "x" * 5000}).json()
    assert body["count"] == 5000


@settings(deadline=None)
@given(text=strategies.text(max_size=40))
def test_detokenizing_gives_the_text_back(client: TestClient, text: str) -> None:
    tokens = client.post("/tokenize", json={"prompt": text}).json()["tokens"]
    assert client.post("/detokenize", json={"tokens": tokens}).json() == {"prompt": text}


def test_control_tokens_are_spelt_out(client: TestClient) -> None:
    body = client.post("/detokenize", json={"tokens": [264, 97, 257]}).json()
    assert body == {"prompt": "<|start_of_role|>a<|end_of_text|>"}


@pytest.mark.parametrize(
    ("route", "body", "param"),
    [
        ("/tokenize", {}, "prompt"),
        ("/tokenize", {"prompt": "a", "messages": HELLO["messages"]}, "prompt"),
        ("/tokenize", {"prompt": ["a"]}, "prompt"),
        ("/tokenize", {"prompt": 5}, "prompt"),
        ("/tokenize", {"messages": []}, "messages"),
        ("/tokenize", {"messages": [{"role": "user"}]}, "messages[0].content"),
        ("/tokenize", {"messages": HELLO["messages"] * 2049}, "messages"),
        ("/tokenize", {"prompt": "x" * 1_000_000}, "prompt"),
        ("/tokenize", {"prompt": "a", "chat_template": "{{ 1 }}"}, "chat_template"),
        ("/tokenize", {"prompt": "a", "tools": []}, "tools"),
        ("/tokenize", {"prompt": "a", "add_generation_prompt": True}, "add_generation_prompt"),
        ("/tokenize", {"messages": HELLO["messages"], "parse_special": True}, "parse_special"),
        ("/detokenize", {}, "tokens"),
        ("/detokenize", {"tokens": "1"}, "tokens"),
        ("/detokenize", {"tokens": [-1]}, "tokens"),
        ("/detokenize", {"tokens": [VOCAB_SIZE]}, "tokens"),
        ("/detokenize", {"tokens": [1.0]}, "tokens"),
        ("/detokenize", {"tokens": [2**62]}, "tokens"),
        ("/detokenize", {"tokens": [1] * 4097}, "tokens"),
    ],
)
def test_bad_input_is_refused_by_name(
    client: TestClient, route: str, body: dict[str, Any], param: str
) -> None:
    response = client.post(route, json=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param


def test_tokens_need_the_key_too(bench: Bench, engine: FakeEngine) -> None:
    app = bench.app(engine, api_key=["secret-key"])
    with TestClient(app, base_url="http://localhost") as client:
        for route in ("/tokenize", "/detokenize"):
            assert client.post(route, json={}).status_code == 401
