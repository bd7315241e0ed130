"""OpenRouter's routing fields, which are understood under /v1 too."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.replies import CHAT, COMPLETIONS
from tests.server.openai.support import ALIAS, HELLO, MODEL, ONCE

LONG = [
    {"role": "system", "content": "Be brief"},
    *({"role": "user", "content": f"{n:1000}"} for n in range(6)),
]


def ask(client: TestClient, **fields: Any) -> Any:
    return client.post(CHAT, json={**HELLO, **fields})


def test_any_of_several_models_may_answer(client: TestClient) -> None:
    assert ask(client, model="gpt-4o", models=["gpt-5", ALIAS]).json()["model"] == MODEL
    refused = ask(client, model="gpt-4o", models=["gpt-5"])
    assert refused.status_code == 404
    assert refused.json()["error"]["message"] == "The model 'gpt-4o' does not exist"


@pytest.mark.parametrize(
    "provider",
    [
        {},
        {"only": ["openai", "Granite-Server"], "ignore": ["azure"], "quantizations": ["fp32"]},
        {"max_price": {"prompt": "0.017", "completion": 0.2}},
        {"order": ["openai"], "sort": "price", "allow_fallbacks": False, "zdr": True},
        {"sort": {"by": "throughput"}, "data_collection": "deny", "preferred_max_latency": 2},
    ],
)
def test_preferences_that_this_server_meets_change_nothing(
    client: TestClient, engine: FakeEngine, provider: dict[str, Any]
) -> None:
    assert ask(client, provider=provider).json()["choices"][0]["message"]["content"] == "Hi"
    with_preferences = engine.requests[-1]
    ask(client)
    assert with_preferences.sampling == engine.requests[-1].sampling


@pytest.mark.parametrize(
    "provider",
    [
        {"only": ["openai"]},
        {"ignore": ["granite-server"]},
        {"quantizations": ["fp8"]},
        {"max_price": {"prompt": "0.0169"}},
        {"max_price": {"completion": 0.1}},
    ],
    ids=str,
)
def test_preferences_that_leave_no_provider_are_not_found(
    client: TestClient, provider: dict[str, Any]
) -> None:
    response = ask(client, provider=provider)
    assert response.status_code == 404
    assert response.json()["error"]["param"] == "provider"
    assert next(iter(provider)) in response.json()["error"]["message"]


def test_required_parameters_must_all_be_known(client: TestClient) -> None:
    required = {"require_parameters": True}
    assert ask(client, provider=required).status_code == 200
    for fields in ({"magic": 1, "provider": required}, {"provider": {**required, "magic": 1}}):
        response = ask(client, **fields)
        assert response.status_code == 400
        assert "magic" in response.json()["error"]["param"]
    ignored = ask(client, provider={"magic": 1, "max_price": {"request": "0.1", "spell": 1}})
    assert ignored.headers["x-ignored-fields"] == "provider.magic, provider.max_price.spell"


@pytest.mark.parametrize(
    "asked",
    [
        {"transforms": ["middle-out"]},
        {"plugins": [{"id": "context-compression"}]},
        {"plugins": [{"id": "web", "enabled": False}, {"id": "context-compression"}]},
    ],
)
def test_a_prompt_that_does_not_fit_loses_its_middle_if_asked_for(
    client: TestClient, engine: FakeEngine, asked: dict[str, Any]
) -> None:
    assert ask(client, messages=LONG).json()["error"]["code"] == "context_length_exceeded"
    response = ask(client, messages=LONG, max_tokens=96, **asked)
    assert response.status_code == 200, response.text
    prompt = bytes(token_id for token_id in engine.requests[-1].prompt_ids if token_id < 256)
    assert b"Be brief" in prompt
    assert [n for n in range(6) if f"{n:1000}".encode() in prompt] == [0, 4, 5]
    assert len(engine.requests[-1].prompt_ids) <= 4096 - 96


def test_without_a_limit_a_quarter_of_the_context_is_left_for_the_reply(
    client: TestClient, engine: FakeEngine
) -> None:
    prompt = "a" * 5000 + "z" * 5000
    fields = {"prompt": prompt, "transforms": ["middle-out"]}
    assert client.post(COMPLETIONS, json={**ONCE, **fields}).status_code == 200
    assert engine.requests[-1].prompt_ids == (*b"a" * 2040, *b"z" * 2040)  # 16 tokens by default
    assert ask(client, messages=LONG, transforms=["middle-out"]).status_code == 200
    assert 1000 < len(engine.requests[-1].prompt_ids) <= 3072


def test_what_fits_is_not_touched(client: TestClient, engine: FakeEngine) -> None:
    ask(client, transforms=["middle-out"])
    shortened = engine.requests[-1].prompt_ids
    ask(client)
    assert engine.requests[-1].prompt_ids == shortened


def test_the_cost_is_told_if_asked_for(client: TestClient) -> None:
    assert "cost" not in ask(client).json()["usage"]
    usage = ask(client, usage={"include": True}).json()["usage"]
    expected = (0.017 * usage["prompt_tokens"] + 0.112 * usage["completion_tokens"]) / 1e6
    assert usage["cost"] == pytest.approx(expected)
    *_, last, _ = ask(client, usage={"include": True}, stream=True).text.strip().split("\n\n")
    assert json.loads(last.removeprefix("data: "))["usage"] == usage
    assert '"cost"' not in ask(client, usage={"include": False}, stream=True).text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"plugins": [{"id": "web"}]}, "plugins"),
        ({"plugins": [{}]}, "plugins[0].id"),
        ({"transforms": ["inside-out"]}, "transforms"),
        ({"transforms": ["middle-out"] * 2}, "transforms"),
        ({"provider": {"only": "openai"}}, "provider.only"),
        ({"provider": {"max_price": {"prompt": "cheap"}}}, "provider.max_price.prompt"),
        ({"models": ["x"] * 17}, "models"),
        ({"route": "elsewhere"}, "route"),
        ({"usage": {"include": "yes"}}, "usage.include"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    client: TestClient, fields: dict[str, Any], param: str
) -> None:
    response = ask(client, **fields)
    assert response.status_code == 400
    assert response.json()["error"]["param"].startswith(param)
