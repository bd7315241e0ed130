"""One text: its forms, its result, its stream, and the errors in Cloudflare's envelope."""

import json
from typing import Any

import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion
from starlette.testclient import TestClient

from engine.errors import WorkerDied
from tests.fakes import FakeEngine, Script
from tests.server.cloudflare.conftest import HELLO, MODEL, ONCE, RUN, Ask
from tests.server.openai.support import says

CALL = '<tool_call>\n{"name": "weather", "arguments": {"a": 1}}\n</tool_call>'
FLAT = {"name": "weather", "description": "Tells", "parameters": {"type": "object"}}
WRAPPED = {"type": "function", "function": FLAT}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def events(client: TestClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a stream before `[DONE]`."""
    text = client.post(RUN, json=body | {"stream": True}).text
    frames = [frame.removeprefix("data: ") for frame in text.split("\n\n") if frame]
    assert frames.pop() == "[DONE]"
    return [json.loads(frame) for frame in frames]


def test_a_result_has_workers_ais_keys_and_those_of_openai(ask: Ask) -> None:
    chat = ask(HELLO)
    assert (chat["response"], chat["tool_calls"], chat["model"]) == ("Hi", [], MODEL)
    assert chat["choices"][0]["message"]["content"] == "Hi"
    ChatCompletion.model_validate(chat)
    completion = ask(ONCE)
    assert (completion["response"], completion["choices"][0]["text"]) == ("Hi", "Hi")
    Completion.model_validate(completion)
    usage = completion["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + 3


def test_the_short_path_is_the_same(client: TestClient, ask: Ask) -> None:
    short = client.post(f"/ai/run/{MODEL}", json=HELLO).json()["result"]
    assert {**short, "id": "", "created": 0} == {**ask(HELLO), "id": "", "created": 0}


def test_a_prompt_is_a_users_turn_unless_it_is_raw(ask: Ask, engine: FakeEngine) -> None:
    ask(ONCE)
    templated = engine.requests[-1].prompt_ids
    ask({"messages": [{"role": "user", "content": "Once"}]})
    assert engine.requests[-1].prompt_ids == templated
    ask({"prompt": "Once<|end_of_text|>", "raw": True})
    assert engine.requests[-1].prompt_ids == (*b"Once", 257)


@pytest.mark.parametrize("body", [HELLO, ONCE])
def test_a_stream_adds_up_to_the_whole_result(
    client: TestClient, ask: Ask, engine: FakeEngine, body: dict[str, Any]
) -> None:
    engine.script = says("héllo 漢 there")
    whole = ask(body)
    *parts, last = events(client, body)
    assert "".join(part["response"] for part in parts) == whole["response"]
    assert last["usage"] == whole["usage"]
    assert last["finish_reason"] == whole["choices"][0]["finish_reason"] == "stop"
    assert all("choices" not in part for part in parts), "some clients would read it twice"


def test_a_cut_reply_says_so(ask: Ask, client: TestClient) -> None:
    assert ask(HELLO | {"max_tokens": 1})["choices"][0]["finish_reason"] == "length"
    assert events(client, HELLO | {"max_tokens": 1})[-1]["finish_reason"] == "length"


@pytest.mark.parametrize("tool", [FLAT, WRAPPED])
def test_tools_of_both_shapes_are_shown_and_called(
    ask: Ask, client: TestClient, engine: FakeEngine, tool: dict[str, Any]
) -> None:
    engine.script = says(f"Hm\n{CALL}")
    result = ask(HELLO | {"tools": [tool]})
    shown = bytes(token for token in engine.requests[-1].prompt_ids if token < 256)
    assert b'"description": "Tells"' in shown
    (flat,) = result["tool_calls"]
    assert (flat["name"], flat["arguments"]) == ("weather", {"a": 1})
    message = result["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert call["id"] == flat["id"]
    assert json.loads(call["function"]["arguments"]) == {"a": 1}
    assert (result["response"], message["content"]) == ("Hm", "Hm")
    parts = [part for part in events(client, HELLO | {"tools": [tool]}) if "tool_calls" in part]
    pieces = [part["tool_calls"][0] for part in parts]
    assert pieces[0]["function"]["name"] == "weather"
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    assert json.loads(arguments) == {"a": 1}


def test_calls_alone_leave_the_response_empty(ask: Ask, engine: FakeEngine) -> None:
    engine.script = says(CALL)
    result = ask(HELLO | {"tools": [FLAT]})
    assert result["response"] == ""
    assert result["choices"][0]["finish_reason"] == "tool_calls"


def test_a_call_that_broke_is_text_whole_and_streamed(
    ask: Ask, client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(CALL.replace("1", "x"))
    result = ask(HELLO | {"tools": [FLAT]})
    assert result["tool_calls"] == []
    parts = events(client, HELLO | {"tools": [FLAT]})
    assert "".join(part["response"] for part in parts) == result["response"] != ""


def test_a_function_is_shown_by_its_source(ask: Ask, engine: FakeEngine) -> None:
    ask(HELLO | {"functions": [{"name": "clock", "code": "return Date.now()"}]})
    shown = bytes(token for token in engine.requests[-1].prompt_ids if token < 256)
    assert b'"name": "clock"' in shown
    assert b"return Date.now()" in shown


def test_what_nobody_knows_of_a_past_call_is_named(client: TestClient) -> None:
    calls: list[Any] = [
        {"name": "weather", "arguments": {}, "colour": 1},
        {"function": {"name": "weather", "arguments": {}, "taste": 1}, "smell": 1},
    ]
    past = {"role": "assistant", "tool_calls": calls}
    response = client.post(RUN, json={"messages": [*HELLO["messages"], past]})
    place = "messages[].tool_calls[]"
    assert response.headers["x-ignored-fields"] == (
        f"{place}.colour, {place}.smell, {place}.function.taste"
    )


def test_a_past_call_may_have_its_arguments_as_an_object(ask: Ask, engine: FakeEngine) -> None:
    past = [
        *HELLO["messages"],
        {"role": "assistant", "tool_calls": [{"name": "weather", "arguments": {"b": 2}}]},
        {"role": "tool", "name": "weather", "content": "rain"},
    ]
    ask({"messages": past, "tools": [FLAT]})
    flat = engine.requests[-1].prompt_ids
    function = {"name": "weather", "arguments": '{"b": 2}'}
    past[1] = {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": function}],
    }
    ask({"messages": past, "tools": [FLAT]})
    assert engine.requests[-1].prompt_ids == flat


def test_in_json_mode_the_response_is_the_value(
    ask: Ask, client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says('{"a": 1}')
    raw_schema = {"type": "json_schema", "json_schema": SCHEMA}
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    for wanted in (raw_schema, wrapped, {"type": "json_object"}):
        result = ask(HELLO | {"response_format": wanted})
        assert result["response"] == {"a": 1}
        assert result["choices"][0]["message"]["content"] == '{"a": 1}'
        assert engine.requests[-1].grammar is not None
    parts = events(client, HELLO | {"response_format": raw_schema})
    assert "".join(part["response"] for part in parts) == '{"a": 1}'
    assert ask(HELLO | {"response_format": {"type": "text"}})["response"] == '{"a": 1}'
    cut = client.post(RUN, json=HELLO | {"response_format": raw_schema, "max_tokens": 4})
    (error,) = cut.json()["errors"]
    assert (cut.status_code, error["code"]) == (400, 5024)
    assert "JSON Mode couldn't be met" in error["message"]


def test_what_of_a_schema_is_not_certain_is_said_beside_the_result(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("[1]")
    schema = {"type": "array", "uniqueItems": True}
    wanted = {"type": "json_schema", "json_schema": schema}
    envelope = client.post(RUN, json=HELLO | {"response_format": wanted}).json()
    assert envelope["result"]["response"] == [1]
    (message,) = envelope["messages"]
    assert "uniqueItems" in message["message"]


@pytest.mark.parametrize(
    ("body", "status", "code", "named"),
    [
        ({}, 400, 5006, "needs a prompt, messages, or requests"),
        ({"prompt": ""}, 400, 5006, "prompt"),
        ({"messages": []}, 400, 5006, "messages"),
        (ONCE | {"lora": "mine"}, 405, 5005, "lora"),
        (ONCE | {"stop": ["x"]}, 400, 5006, "stop"),
        (ONCE | HELLO, 400, 5006, "prompt"),
        (HELLO | {"raw": True}, 400, 5006, "raw"),
        (HELLO | {"tools": [FLAT, FLAT]}, 400, 5006, "tools"),
        (HELLO | {"tool_choice": "required"}, 400, 5006, "tool_choice"),
        ({"messages": [{"role": "user"}]}, 400, 5006, "messages[0].content"),
        (ONCE | {"response_format": {"type": "json_schema"}}, 400, 5006, "json_schema"),
        (ONCE | {"model": "gpt-4o"}, 400, 5007, "No such model gpt-4o"),
        ({"prompt": "x" * 5000}, 400, 5021, "maximum context length"),
        ({"request_id": "none"}, 404, 7003, "none"),
        ({"request_id": 1}, 400, 5006, "request_id"),
    ],
)
def test_what_is_wrong_is_named_in_the_envelope(
    client: TestClient, body: dict[str, Any], status: int, code: int, named: str
) -> None:
    response = client.post(RUN, json=body)
    envelope = response.json()
    (error,) = envelope.pop("errors")
    assert (response.status_code, error["code"]) == (status, code), response.text
    assert named in error["message"]
    assert envelope == {"result": None, "success": False, "messages": []}


def test_a_failure_in_a_stream_is_its_last_event(client: TestClient, engine: FakeEngine) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    text = client.post(RUN, json=HELLO | {"stream": True}).text
    *_, last = [frame for frame in text.split("\n\n") if frame]
    envelope = json.loads(last.removeprefix("data: "))
    assert (envelope["success"], envelope["errors"][0]["code"]) == (False, 3043)
    assert "killed" not in last


def test_who_would_not_wait_is_refused_while_all_slots_are_busy(
    client: TestClient, engine: FakeEngine, ask: Ask
) -> None:
    ask(ONCE, "?rejectIfBusy=true")
    engine.active |= {"1", "2", "3", "4"}
    try:
        response = client.post(f"{RUN}?rejectIfBusy=true", json=ONCE)
        assert (response.status_code, response.json()["errors"][0]["code"]) == (429, 3040)
        in_body = client.post(RUN, json=ONCE | {"options": {"rejectIfBusy": True}})
        assert (in_body.status_code, in_body.json()["errors"][0]["code"]) == (429, 3040)
        ask(ONCE)
        ask(ONCE | {"options": {"rejectIfBusy": False, "tags": ["a"]}})
    finally:
        engine.active -= {"1", "2", "3", "4"}


def test_options_are_an_object(client: TestClient) -> None:
    response = client.post(RUN, json=ONCE | {"options": ["rejectIfBusy"]})
    assert response.status_code == 400
    assert "options" in response.json()["errors"][0]["message"]


def test_openais_routes_know_the_models_names_of_workers_ai(client: TestClient) -> None:
    prefix = "/client/v4/accounts/account/ai/v1"
    chat = client.post(f"{prefix}/chat/completions", json=HELLO | {"model": MODEL})
    assert chat.json()["choices"][0]["message"]["content"] == "Hi"
    completion = client.post(f"{prefix}/completions", json=ONCE | {"model": MODEL})
    assert completion.json()["choices"][0]["text"] == "Hi"
    unknown = client.post(f"{prefix}/chat/completions", json=HELLO | {"model": "@cf/a/b"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
