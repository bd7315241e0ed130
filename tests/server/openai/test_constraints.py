"""Every field that demands a form of the reply, and what is refused before the engine is asked."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.grammars.support import Grammar
from tests.server.openai.support import HELLO, ONCE

ROUTES = {"/v1/chat/completions": HELLO, "/v1/completions": ONCE}
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
UNIQUE: dict[str, Any] = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
GBNF = 'root ::= "yes" | "no"'
TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}


def named(schema: object, **fields: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, **fields}}


def post(client: TestClient, fields: dict[str, Any], route: str = "/v1/completions") -> Any:
    return client.post(route, json={**ROUTES[route], **fields})


def error_of(client: TestClient, fields: dict[str, Any], **options: Any) -> dict[str, Any]:
    response = post(client, fields, **options)
    assert response.status_code == 400, response.text
    error: dict[str, Any] = response.json()["error"]
    return error


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        ({"response_format": named(PERSON, strict=True)}, '{"name": "Ann"}', '{"age": 7}'),
        ({"response_format": named(PERSON)}, '{"name": "Ann"}', "{}"),
        ({"response_format": {"type": "json_object"}}, '{"any": ["thing"]}', "[]"),
        ({"response_format": {"type": "json_object", "schema": PERSON}}, '{"name": ""}', "{}"),
        ({"guided_json": PERSON}, '{"name": "Ann"}', "{}"),
        ({"guided_json": json.dumps(PERSON)}, '{"name": "Ann"}', "{}"),
        ({"json_schema": PERSON}, '{"name": "Ann"}', "{}"),
        ({"guided_regex": "[ab]+"}, "abba", "c"),
        ({"regex": "[ab]+"}, "abba", "c"),
        ({"guided_choice": ["yes", "no"]}, "no", "maybe"),
        ({"guided_grammar": 'start: "yes" | "no"'}, "no", "maybe"),
        ({"guided_grammar": GBNF}, "no", "maybe"),
        ({"ebnf": GBNF}, "no", "maybe"),
        ({"grammar": GBNF}, "no", "maybe"),
        ({"structured_outputs": {"json": PERSON}}, '{"name": "Ann"}', '{"name":"Ann"}'),
        (
            {"structured_outputs": {"json": PERSON, "disable_any_whitespace": True}},
            '{"name":"Ann"}',
            '{"name": "Ann"}',
        ),
        ({"structured_outputs": {"json_object": True, "regex": None}}, '{"a": 1}', "1"),
        ({"structured_outputs": {"regex": "[ab]+", "whitespace_pattern": None}}, "ab", "c"),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "yes", "maybe"),
        ({"structured_outputs": {"grammar": GBNF}}, "yes", "maybe"),
    ],
    ids=lambda value: str(value)[:48],
)
@pytest.mark.parametrize("route", ROUTES)
def test_each_field_makes_the_engine_follow_its_form(
    client: TestClient, engine: FakeEngine, route: str, fields: dict[str, Any], good: str, bad: str
) -> None:
    response = post(client, fields, route=route)
    assert response.status_code == 200, response.text
    assert "x-ignored-fields" not in response.headers
    source = engine.requests[-1].grammar
    assert source is not None
    grammar = Grammar(source)
    assert grammar.allows(good)
    assert not grammar.allows(bad)


@pytest.mark.parametrize(
    "fields",
    [{}, {"response_format": {"type": "text"}}, {"response_format": None}, {"grammar": ""}],
)
def test_without_a_form_the_engine_has_no_grammar(
    client: TestClient, engine: FakeEngine, fields: dict[str, Any]
) -> None:
    assert post(client, fields).status_code == 200
    assert engine.requests[-1].grammar is None


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "x"}},
        {"response_format": {}},
        {"response_format": "json_object"},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
        {"response_format": named(None)},
        {"response_format": named([])},
        {"response_format": named("")},
        {"response_format": named(True)},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": PERSON}}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "", "schema": PERSON}}},
        {"response_format": {"type": "json_object", "schema": []}},
        {"response_format": {"type": "text", "schema": PERSON}},
        {"response_format": named(PERSON) | {"type": "json_object"}},
        {"response_format": named(PERSON) | {"schema": PERSON}},
        {"guided_json": "not json"},
        {"guided_json": "false"},
        {"guided_json": "[" * 100_000},
        {"guided_json": []},
        {"guided_choice": []},
        {"guided_choice": "yes"},
        {"guided_choice": ["yes", ""]},
        {"guided_choice": ["yes"] * 4097},
        {"guided_regex": ""},
        {"guided_grammar": ""},
        {"regex": 7},
        {"structured_outputs": {}},
        {"structured_outputs": {"json": PERSON, "regex": "a"}},
        {"structured_outputs": {"json_object": False}},
        {"structured_outputs": {"structural_tag": {}}},
        {"structured_outputs": {"regex": "a", "whitespace_pattern": " *"}},
        {"structured_outputs": "regex"},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_what_is_no_form_is_refused_by_the_name_of_its_field(
    client: TestClient, fields: dict[str, Any]
) -> None:
    (field,) = fields
    assert error_of(client, fields)["param"].partition(".")[0] == field


def test_only_one_field_may_demand_a_form(client: TestClient) -> None:
    error = error_of(client, {"guided_regex": "a", "response_format": named(PERSON)})
    assert error["param"] == "guided_regex"
    assert "response_format" in error["message"]
    fields = {"guided_regex": "a", "response_format": {"type": "text"}, "grammar": ""}
    assert post(client, fields).status_code == 200


def test_a_strict_schema_that_cannot_be_guaranteed_is_refused_with_the_reason(
    client: TestClient, engine: FakeEngine
) -> None:
    num_requests = len(engine.requests)
    error = error_of(client, {"response_format": named(UNIQUE, strict=True)})
    assert error["param"] == "response_format"
    assert "uniqueItems" in error["message"]
    assert len(engine.requests) == num_requests


@pytest.mark.parametrize("stream", [False, True])
def test_another_schema_is_followed_as_far_as_possible_and_a_header_says_how_far(
    client: TestClient, engine: FakeEngine, stream: bool
) -> None:
    for strict in (False, None):
        fields = {"response_format": named(UNIQUE, strict=strict), "stream": stream}
        response = post(client, fields)
        assert response.status_code == 200
        assert "uniqueItems" in response.headers["x-schema-warnings"]
        assert Grammar(engine.requests[-1].grammar or "").allows("[1, 1]")
    assert "x-schema-warnings" not in post(client, {"guided_json": PERSON}).headers


@pytest.mark.parametrize("field", ["guided_json", "guided_regex", "guided_choice", "grammar"])
def test_more_than_a_quarter_of_a_megabyte_is_not_compiled(client: TestClient, field: str) -> None:
    large = "x" * 262_145
    value: Any = {"const": large} if field == "guided_json" else large
    value = [large] if field == "guided_choice" else value
    error = error_of(client, {field: value})
    assert error["param"] == field
    assert "262144 bytes" in error["message"]


def test_all_choices_and_prompts_follow_the_same_form(
    client: TestClient, engine: FakeEngine
) -> None:
    before = len(engine.requests)
    fields = {"guided_regex": "[ab]+", "prompt": ["Once", "Twice"], "n": 4}
    assert post(client, fields).status_code == 200
    first, second = engine.requests[before:]
    assert first.num_choices == second.num_choices == 4
    assert first.grammar == second.grammar is not None


def test_a_form_goes_together_with_every_other_field_of_sampling(
    client: TestClient, engine: FakeEngine
) -> None:
    fields = {
        "guided_regex": "[ab]+",
        "logit_bias": {"34": -100},
        "min_tokens": 3,
        "ignore_eos": True,
        "stop": ["}"],
        "temperature": 0,
    }
    assert post(client, fields).status_code == 200
    request = engine.requests[-1]
    assert request.grammar is not None
    assert request.sampling.logit_bias == ((34, -100.0),)
    assert request.sampling.min_tokens == 3


CHAT = "/v1/chat/completions"


def test_a_demanded_call_is_a_grammar_of_calls(client: TestClient, engine: FakeEngine) -> None:
    response = post(client, {"tools": [TOOL], "tool_choice": "required"}, route=CHAT)
    assert response.status_code == 200
    source = engine.requests[-1].grammar or ""
    assert '{\\"name\\": \\"clock\\", \\"arguments\\": ' in source
    assert "TEXT calls" not in source


def test_calls_and_a_form_of_answers_are_one_grammar(
    client: TestClient, engine: FakeEngine
) -> None:
    response = post(client, {"tools": [TOOL], "response_format": named(PERSON)}, route=CHAT)
    assert response.status_code == 200
    assert "start: calls | content" in (engine.requests[-1].grammar or "")


def test_a_tool_whose_schema_cannot_be_followed_is_refused(client: TestClient) -> None:
    parameters = {"type": "object", "properties": {"a": UNIQUE}}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters, "strict": True}}
    error = error_of(client, {"tools": [tool]}, route=CHAT)
    assert error["param"] == "tools"
    assert "uniqueItems" in error["message"]


def test_a_grammar_goes_with_tools(client: TestClient, engine: FakeEngine) -> None:
    response = post(client, {"tools": [TOOL], "grammar": GBNF}, route=CHAT)
    assert response.status_code == 200
    calls, own = json.loads(engine.requests[-1].grammar or "")["grammars"]
    assert "start: calls | content" in calls["lark_grammar"]
    assert f"content: @{own['name']}" in calls["lark_grammar"]
