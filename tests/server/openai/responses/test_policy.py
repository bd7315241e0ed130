"""Every field of a response's request has one fate, and every wrong value is refused by name."""

import json
from typing import Any

import pytest
from openai.types.responses import response_create_params as params
from openai.types.responses.input_token_count_params import InputTokenCountParams
from starlette.testclient import TestClient

from engine.request import GenerationRequest
from server.field_notes import harmless_fields
from server.openai.responses.create_request import CreateResponse, ResponsePrompt
from server.openai.responses.field_policy import REFUSED_FIELDS
from tests.fakes import FakeEngine
from tests.server.openai.responses.asking import HELLO, RESPONSES, WEATHER, refusal
from tests.server.openai.support import Bench, fake_engine, says

FIELDS = CreateResponse.model_fields
HARMLESS: dict[str, Any] = {
    "max_tool_calls": 3,
    "prompt_cache_key": "key",
    "prompt_cache_retention": "24h",
    "safety_identifier": "person",
    "service_tier": "flex",
    "user": "somebody\r\nelse",
}
SHOWN_ELSEWHERE = {
    "background",
    "include",
    "input",
    "instructions",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "store",
    "stream",
    "stream_options",
    "text",
    "tool_choice",
    "tools",
    "truncation",
}
"""Fields with tests of their own."""
EFFECTS: dict[str, tuple[Any, Any]] = {
    "temperature": (0.25, lambda request: request.sampling.temperature == 0.25),
    "top_p": (0.5, lambda request: request.sampling.top_p == 0.5),
    "max_output_tokens": (17, lambda request: request.sampling.max_tokens == 17),
    "top_logprobs": (3, lambda request: request.sampling.logprobs == 3),
}


def test_every_field_is_proven_honoured_or_listed_as_harmless() -> None:
    assert EFFECTS.keys() | SHOWN_ELSEWHERE | HARMLESS.keys() == FIELDS.keys()
    assert HARMLESS.keys() == harmless_fields(CreateResponse)
    assert FIELDS.keys() >= ResponsePrompt.model_fields.keys()


def test_every_field_of_openais_client_has_a_fate() -> None:
    known = FIELDS.keys() | REFUSED_FIELDS.keys()
    assert params.ResponseCreateParamsStreaming.__annotations__.keys() <= known
    assert params.ResponseCreateParamsBase.__annotations__.keys() <= known
    assert InputTokenCountParams.__annotations__.keys() <= known


@pytest.mark.parametrize("field", EFFECTS)
def test_an_honoured_field_reaches_the_engine(
    client: TestClient, engine: FakeEngine, field: str
) -> None:
    value, is_honoured = EFFECTS[field]
    assert client.post(RESPONSES, json=HELLO).status_code == 200
    assert not is_honoured(engine.requests[-1])
    assert client.post(RESPONSES, json=HELLO | {field: value}).status_code == 200
    assert is_honoured(engine.requests[-1])


@pytest.mark.parametrize("field", sorted(REFUSED_FIELDS.keys() - FIELDS.keys()))
def test_an_unsupported_field_is_refused_by_name(client: TestClient, field: str) -> None:
    for route in (RESPONSES, f"{RESPONSES}/input_tokens"):
        reply = client.post(route, json=HELLO | {field: {"anything": "else"}})
        assert refusal(reply) == (400, "unsupported_parameter", field)


def test_values_that_ask_for_nothing_are_accepted(client: TestClient) -> None:
    refused = {name: REFUSED_FIELDS[name] for name in REFUSED_FIELDS.keys() - FIELDS.keys()}
    nothing = {name: values[-1] for name, values in refused.items() if values}
    for fields in (nothing, dict.fromkeys(refused)):
        reply = client.post(RESPONSES, json=HELLO | fields)
        assert reply.status_code == 200, reply.text
        assert "x-ignored-fields" not in reply.headers


def test_harmless_fields_are_repeated_and_change_nothing(
    client: TestClient, engine: FakeEngine
) -> None:
    client.post(RESPONSES, json=HELLO)
    plain: GenerationRequest = engine.requests[-1]
    reply = client.post(RESPONSES, json=HELLO | HARMLESS)
    assert "x-ignored-fields" not in reply.headers
    with_fields: GenerationRequest = engine.requests[-1]
    assert (with_fields.prompt_ids, with_fields.sampling) == (plain.prompt_ids, plain.sampling)
    repeated = {name: reply.json()[name] for name in ("max_tool_calls", "prompt_cache_key", "user")}
    assert repeated == {name: HARMLESS[name] for name in repeated}
    assert reply.json()["service_tier"] == "default"


def test_null_stands_for_the_default_of_every_optional_field(
    client: TestClient, engine: FakeEngine
) -> None:
    optional = dict.fromkeys(name for name, field in FIELDS.items() if not field.is_required())
    reply = client.post(RESPONSES, json=optional | HELLO)
    assert reply.status_code == 200, reply.text
    with_nulls: GenerationRequest = engine.requests[-1]
    client.post(RESPONSES, json=HELLO)
    plain: GenerationRequest = engine.requests[-1]
    assert (with_nulls.prompt_ids, with_nulls.sampling) == (plain.prompt_ids, plain.sampling)


FUNCTION = {"type": "function", "name": "weather"}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"input": None}, "input"),
    ({"input": []}, "input"),
    ({"input": 1}, "input"),
    ({"input": [None]}, "input[0]"),
    ({"input": [{}]}, "input[0]"),
    ({"input": [{"type": "computer_call"}]}, "input[0]"),
    ({"input": [{"role": "root", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user"}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": None}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content"),
    ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
    ({"input": [{"role": "user", "content": "x"}] * 2049}, "input"),
    ({"max_output_tokens": 15}, "max_output_tokens"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "1"}, "temperature"),
    ({"top_p": 1.1}, "top_p"),
    ({"top_logprobs": 21}, "top_logprobs"),
    ({"include": ["everything"]}, "include"),
    ({"truncation": "middle"}, "truncation"),
    ({"metadata": {str(key): "x" for key in range(17)}}, "metadata"),
    ({"previous_response_id": ""}, "previous_response_id"),
    ({"stream_options": {}}, "stream_options"),
    (
        {"stream": True, "stream_options": {"include_obfuscation": True}},
        "stream_options.include_obfuscation",
    ),
    ({"background": True, "store": False}, "background"),
    ({"tools": [{"name": "f"}]}, "tools[0]"),
    ({"tools": [{"type": "function", "name": "a b"}]}, "tools[0].name"),
    ({"tools": [FUNCTION, FUNCTION]}, "tools"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": FUNCTION}, "tool_choice"),
    ({"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "x"}}, "tool_choice"),
    ({"tools": [FUNCTION], "tool_choice": {"type": "web_search"}}, "tool_choice"),
    ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice"),
    ({"text": {"format": {"type": "xml"}}}, "text.format"),
    ({"text": {"verbosity": "high"}}, "text.verbosity"),
    ({"model": "gpt-4o"}, "model"),
]


@pytest.mark.parametrize(
    ("fields", "param"), WRONG, ids=[json.dumps(case)[:60] for case, _ in WRONG]
)
def test_a_wrong_value_is_refused_by_name(
    client: TestClient, fields: dict[str, Any], param: str
) -> None:
    reply = client.post(RESPONSES, json=HELLO | fields)
    assert reply.status_code in (400, 404), reply.text
    assert len(reply.content) <= 4096
    found = reply.json()["error"]["param"]
    assert found == param or (param == "input" and found == "input[0].content")


@pytest.mark.parametrize("kind", ["input_image", "input_file", "input_audio"])
def test_the_model_reads_text_only(client: TestClient, kind: str) -> None:
    message = {"role": "user", "content": [{"type": kind, "image_url": "http://127.0.0.1:9/x"}]}
    reply = client.post(RESPONSES, json=HELLO | {"input": [message]})
    assert refusal(reply) == (400, "unsupported_parameter", "input[0].content")


def test_tools_that_run_elsewhere_are_left_out_and_named(
    client: TestClient, engine: FakeEngine
) -> None:
    reply = client.post(RESPONSES, json=HELLO | {"tools": [WEATHER]})
    alone = engine.requests[-1].prompt_ids
    others = [{"type": "web_search"}, {"type": "custom", "name": "apply_patch", "format": {}}]
    reply = client.post(RESPONSES, json=HELLO | {"tools": [*others, WEATHER]})
    assert reply.headers["x-ignored-fields"] == "tools[0], tools[1]"
    assert engine.requests[-1].prompt_ids == alone
    assert [tool["name"] for tool in reply.json()["tools"]] == ["weather"]


def test_strict_fields_refuse_what_nobody_knows(bench: Bench) -> None:
    app = bench.app(fake_engine(says("Hi")), strict_fields=True)
    with TestClient(app, base_url="http://localhost") as client:
        for fields, param in (
            ({"foo": 1}, "foo"),
            ({"tools": [{"type": "web_search"}]}, "tools[0]"),
            ({"tools": [{**FUNCTION, "bar": 1}]}, "tools[].bar"),
        ):
            reply = client.post(RESPONSES, json=HELLO | fields)
            assert refusal(reply) == (400, "invalid_value", param)


@pytest.mark.parametrize("choice", ["auto", "none", "required", FUNCTION])
def test_the_choice_of_tools_is_repeated(client: TestClient, choice: Any) -> None:
    body = HELLO | {"tools": [WEATHER], "tool_choice": choice}
    assert client.post(RESPONSES, json=body).json()["tool_choice"] == choice


def test_a_long_conversation_loses_its_oldest_turns_if_it_may(
    client: TestClient, engine: FakeEngine
) -> None:
    turns = [
        {"role": role, "content": f"{role} {number} " + "x" * 200}
        for number in range(20)
        for role in ("user", "assistant")
    ]
    asked = {"input": [*turns, {"role": "user", "content": "Last"}], "instructions": "Be brief."}
    assert refusal(client.post(RESPONSES, json=HELLO | asked))[1] == "context_length_exceeded"
    reply = client.post(RESPONSES, json=HELLO | asked | {"truncation": "auto"})
    assert reply.status_code == 200, reply.text
    prompt = bytes(i for i in engine.requests[-1].prompt_ids if i < 256).decode()
    assert "Be brief." in prompt
    assert "Last" in prompt
    assert "user 19" in prompt
    assert "user 0" not in prompt
    first_kept = next(number for number in range(20) if f"user {number} " in prompt)
    assert f"assistant {first_kept - 1} " not in prompt
    assert len(engine.requests[-1].prompt_ids) > 2048
    short = client.post(RESPONSES, json=HELLO | {"truncation": "auto"})
    assert short.json()["truncation"] == "auto"
    hopeless = {"input": "x" * 5000, "truncation": "auto"}
    reply = client.post(RESPONSES, json=HELLO | hopeless)
    assert refusal(reply)[1] == "context_length_exceeded"
