"""Bad values of every field: refused by name, in a small body, before the engine hears of them."""

from itertools import combinations
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.support import HELLO, MODEL, ONCE, VOCAB_SIZE, Bench

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
BODIES = {CHAT: HELLO, COMPLETIONS: ONCE}

BAD_ON_BOTH: dict[str, list[Any]] = {
    "temperature": [-1, 2.0001, 1e308, "0.5", True, []],
    "top_p": [-0.1, 1.1, "1", False],
    "top_k": [-2, 1.5, 10**18, True, "5"],
    "min_p": [-0.1, 1.1],
    "repetition_penalty": [0, -1, 1e-300, 1e300, "1"],
    "frequency_penalty": [-2.1, 2.1, "0"],
    "presence_penalty": [-2.1, 2.1, "0"],
    "n": [0, -1, 1.5, 17, 2**31, True],
    "max_tokens": [0, -1, 2**62, "10", 1.0],
    "min_tokens": [-1, 1.0],
    "seed": [2**63, -(2**63) - 1, 1.0, "1", True],
    "stop": ["", [""], ["x"] * 17, ["x"] * 5000, "x" * 257, [1], [None], {}],
    "stop_token_ids": [[-1], [VOCAB_SIZE], ["1"], [1.0], list(range(129)), 5],
    "logit_bias": [
        {"AI": 1},
        {"-1": 1},
        {"+1": 1},
        {"01": 1},
        {"1.0": 1},
        {"٣": 1},
        {str(VOCAB_SIZE): 1},
        {"9" * 30: 1},
        {"1": "x"},
        {"1": 1e9},
        {"1": True},
        {str(key): 0 for key in range(1025)},
        [],
    ],
    "ignore_eos": [1, "true"],
    "stream": ["yes", 1],
    "user": [5, "x" * 513, {}],
    "safety_identifier": ["x" * 100_000],
    "metadata": [{str(key): "x" for key in range(17)}, {"k": 1}, {"k" * 65: "x"}, {"k": "x" * 513}],
}
BAD_ON_CHAT: dict[str, list[Any]] = {
    "max_completion_tokens": [0, -1, "10"],
    "logprobs": [5, "true"],
    "top_logprobs": [-1, 21, 2.0, True],
    "messages": [[], None, {}, "hi", 5],
}
BAD_ON_COMPLETIONS: dict[str, list[Any]] = {
    "logprobs": [-1, 6, True],
    "prompt": [
        *([], "", [""], [[]], ["x"] * 17, ["x"] * 10_000, ["x", 1], [1, "x"], [[[1]]], [True]),
        *([1.0], ["x", [1]], [-1], [VOCAB_SIZE], [[1], [VOCAB_SIZE]], None, 5, {}),
    ],
    "parse_special": ["yes"],
}
CASES = [
    *(
        (route, field, value)
        for route in BODIES
        for field, values in BAD_ON_BOTH.items()
        for value in values
    ),
    *((CHAT, field, value) for field, values in BAD_ON_CHAT.items() for value in values),
    *(
        (COMPLETIONS, field, value)
        for field, values in BAD_ON_COMPLETIONS.items()
        for value in values
    ),
]


def refusal(client: TestClient, route: str, body: dict[str, Any]) -> dict[str, Any]:
    """The error object of a request that must be refused with 400."""
    response = client.post(route, json=body)
    assert response.status_code == 400, response.text
    assert len(response.content) <= 4096
    error: dict[str, Any] = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    return error


def shortened(value: object) -> str:
    return repr(value)[:24]


@pytest.mark.parametrize(("route", "field", "value"), CASES, ids=shortened)
def test_a_bad_value_is_refused_and_named(
    client: TestClient, engine: FakeEngine, route: str, field: str, value: object
) -> None:
    before = len(engine.requests)
    error = refusal(client, route, {**BODIES[route], field: value})
    assert error["param"] == field
    assert len(engine.requests) == before


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"top_logprobs": 2, "logprobs": False}, "top_logprobs"),
        ({"min_tokens": 6, "max_tokens": 5}, "min_tokens"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream_options": {}, "stream": False}, "stream_options"),
        ({"stream_options": [], "stream": True}, "stream_options"),
        ({"stream_options": {"include_usage": 1}, "stream": True}, "stream_options.include_usage"),
        (
            {"stream_options": {"include_obfuscation": True}, "stream": True},
            "stream_options.include_obfuscation",
        ),
    ],
)
def test_fields_that_do_not_go_together_are_refused(
    client: TestClient, fields: dict[str, Any], param: str
) -> None:
    assert refusal(client, CHAT, {**HELLO, **fields})["param"] == param


def test_prompts_times_choices_are_bounded(client: TestClient) -> None:
    body = {**ONCE, "prompt": ["x"] * 16, "n": 5}
    assert refusal(client, COMPLETIONS, body)["param"] == "n"


@pytest.mark.parametrize(
    ("message", "where"),
    [
        (None, ""),
        ({}, ".role"),
        ({"role": "root", "content": "x"}, ".role"),
        ({"role": 1, "content": "x"}, ".role"),
        ({"role": "System", "content": "x"}, ".role"),
        ({"role": "function", "content": "x"}, ".name"),
        ({"role": "user"}, ".content"),
        ({"role": "user", "content": None}, ".content"),
        ({"role": "user", "content": 5}, ".content"),
        ({"role": "user", "content": []}, ".content"),
        ({"role": "user", "content": ["x"]}, ".content"),
        ({"role": "user", "content": [{"type": "text"}]}, ".content"),
        ({"role": "user", "content": [{"type": "text", "text": "x"}] * 257}, ".content"),
        ({"role": "assistant", "content": None}, ".content"),
        ({"role": "assistant", "content": None, "tool_calls": []}, ".content"),
        ({"role": "user", "content": "x", "tool_calls": [{}]}, ".tool_calls[0].id"),
        ({"role": "tool", "content": "x"}, ".tool_call_id"),
        ({"role": "user", "content": "x", "name": "n" * 10_000}, ".name"),
    ],
    ids=shortened,
)
def test_a_bad_message_is_refused_with_its_place(
    client: TestClient, message: object, where: str
) -> None:
    body = {**HELLO, "messages": [*HELLO["messages"], message]}
    assert refusal(client, CHAT, body)["param"] == f"messages[1]{where}"


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file"])
def test_content_that_is_not_text_is_refused_as_unsupported(client: TestClient, kind: str) -> None:
    part = {"type": kind, kind: {"url": "http://127.0.0.1:9/x"}}
    body = {**HELLO, "messages": [{"role": "user", "content": [part]}]}
    error = refusal(client, CHAT, body)
    assert (error["param"], error["code"]) == ("messages[0].content", "unsupported_parameter")


def test_too_many_messages_are_refused(client: TestClient) -> None:
    for count in (2049, 100_000):
        error = refusal(client, CHAT, {**HELLO, "messages": HELLO["messages"] * count})
        assert error["param"] == "messages"


@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize(
    "name", ["", "gpt-4o", "x" * 10_000, "../../etc/passwd", MODEL.upper(), f" {MODEL}", "\r\nx"]
)
def test_an_unknown_model_is_not_found(client: TestClient, route: str, name: str) -> None:
    response = client.post(route, json={**BODIES[route], "model": name})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert response.json()["error"]["param"] == "model"
    assert len(response.content) <= 4096


@pytest.mark.parametrize("route", BODIES)
def test_a_missing_model_is_refused(client: TestClient, route: str) -> None:
    for body in ({**BODIES[route], "model": None}, {**BODIES[route], "model": 5}):
        assert refusal(client, route, body)["param"] == "model"
    body = dict(BODIES[route])
    del body["model"]
    assert refusal(client, route, body)["param"] == "model"


@pytest.mark.parametrize("route", BODIES)
def test_a_field_that_nobody_knows_is_named_in_a_header(client: TestClient, route: str) -> None:
    unknown = {"foo": 1, "__class__": 2, "model_fields_set": 3, "in\r\nject": 4}
    response = client.post(route, json={**BODIES[route], **unknown})
    assert response.status_code == 200
    assert response.headers["x-ignored-fields"] == "foo, __class__, model_fields_set, in%0D%0Aject"


def test_unknown_fields_inside_are_named_too_and_the_header_is_bounded(client: TestClient) -> None:
    message = {"role": "user", "content": "x", "mood": "good"}
    options = {"include_usage": True, "colour": 1}
    many = {f"{number:02}" + "x" * 1000: 0 for number in range(50)}
    body = {**HELLO, "messages": [message] * 3, "stream": True, "stream_options": options}
    response = client.post(CHAT, json=body)
    assert response.headers["x-ignored-fields"] == "stream_options.colour, messages[].mood"
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}, "font": "bold"}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}", "why": 1}}
    past = [{"role": "user", "content": [part]}, {"role": "assistant", "tool_calls": [call]}]
    response = client.post(CHAT, json={**HELLO, "messages": [*past, message | {"role": "user"}]})
    assert response.headers["x-ignored-fields"] == (
        "messages[].content[].font, messages[].tool_calls[].function.why, messages[].mood"
    )
    assert client.post(CHAT, json={**HELLO, "": 1}).headers["x-ignored-fields"] == '""'
    header = client.post(CHAT, json={**HELLO, **many}).headers["x-ignored-fields"]
    assert len(header) < 2048
    assert header.endswith(", ...")


@pytest.mark.parametrize(
    ("field", "values"),
    {
        "temperature": [0, -0.0, 1e-8, 1e-40, 2],
        "top_k": [-1, 0, 2**31 - 1],
        "seed": [2**63 - 1, -(2**63), -1, 0],
        "n": [16],
        "stop": [[], "x", ["x"] * 16, "x" * 256, " "],
        "logit_bias": [{}, {"0": -100, str(VOCAB_SIZE - 1): 100}],
        "repetition_penalty": [0.01, 10],
        "top_logprobs": [None],
    }.items(),
)
def test_values_at_the_edge_are_accepted(
    client: TestClient, field: str, values: list[object]
) -> None:
    for value in values:
        response = client.post(CHAT, json={**HELLO, field: value})
        assert response.status_code == 200, (value, response.text)


def test_strict_fields_refuse_what_nobody_knows(bench: Bench, engine: FakeEngine) -> None:
    app = bench.app(engine, strict_fields=True)
    with TestClient(app, base_url="http://localhost") as client:
        for route, body in BODIES.items():
            assert client.post(route, json=body).status_code == 200
            assert refusal(client, route, {**body, "foo": 1})["param"] == "foo"
        message = {"role": "user", "content": "x", "mood": "good"}
        error = refusal(client, CHAT, {**HELLO, "messages": [message]})
        assert error["param"] == "messages[].mood"


FEATURES: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 0},
    "top_p": {"top_p": 0.5, "top_k": 3, "min_p": 0.1},
    "penalties": {"repetition_penalty": 1.2, "frequency_penalty": 1, "presence_penalty": -1},
    "logprobs": {"logprobs": True, "top_logprobs": 3},
    "n": {"n": 2},
    "stop": {"stop": ["i"]},
    "stop_token_ids": {"stop_token_ids": [3]},
    "seed": {"seed": 7},
    "logit_bias": {"logit_bias": {"5": -100}},
    "max_tokens": {"max_tokens": 9},
    "min_tokens": {"min_tokens": 2},
    "ignore_eos": {"ignore_eos": True},
    "stream": {"stream": True, "stream_options": {"include_usage": True}},
}


@pytest.mark.parametrize(("one", "other"), list(combinations(FEATURES, 2)))
def test_every_pair_of_features_goes_together(client: TestClient, one: str, other: str) -> None:
    response = client.post(CHAT, json={**HELLO, **FEATURES[one], **FEATURES[other]})
    assert response.status_code == 200, response.text
