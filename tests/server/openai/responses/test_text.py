"""`text`: the form that a response has to have reaches the engine, and is repeated."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.grammars.support import Grammar
from tests.server.openai.responses.asking import HELLO, RESPONSES, WEATHER, refusal, respond, stream
from tests.server.openai.support import says

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


def schema(value: object, **fields: Any) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "name": "person", "schema": value, **fields}}


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        (schema(PERSON, strict=True), '{"name": "Ann"}', '{"age": 7}'),
        (schema(PERSON), '{"name": "Ann"}', "{}"),
        ({"format": {"type": "json_object"}}, '{"any": ["thing"]}', "[]"),
    ],
)
def test_a_form_is_what_the_engine_follows(
    client: TestClient, engine: FakeEngine, text: dict[str, Any], good: str, bad: str
) -> None:
    engine.script = says(good)
    response = respond(client, text=text)
    source = engine.requests[-1].grammar
    assert source is not None
    assert Grammar(source).allows(good)
    assert not Grammar(source).allows(bad)
    assert json.loads(response.output_text) == json.loads(good)
    assert stream(client, text=text)[-1].response.output_text == good
    assert engine.requests[-1].grammar == source


def test_the_format_is_repeated_as_it_was_asked(client: TestClient) -> None:
    asked = schema(PERSON, strict=True, description="Somebody")
    body = client.post(RESPONSES, json=HELLO | {"text": asked}).json()
    assert body["text"] == {**asked, "verbosity": "medium"}
    assert respond(client, text={"format": {"type": "text"}}).text.format.type == "text"


@pytest.mark.parametrize("text", [None, {}, {"format": {"type": "text"}}, {"verbosity": "medium"}])
def test_plain_text_is_free(client: TestClient, engine: FakeEngine, text: Any) -> None:
    respond(client, text=text)
    assert engine.requests[-1].grammar is None


@pytest.mark.parametrize(
    ("text", "param"),
    [
        (schema(False, strict=True), "text.format"),
        (schema({"type": "string", "pattern": "(?<=x)y"}, strict=True), "text.format"),
        (schema(PERSON, name="a b"), "text.format"),
        ({"format": {"type": "json_schema", "name": "n"}}, "text.format"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    client: TestClient, text: dict[str, Any], param: str
) -> None:
    status, code, found = refusal(client.post(RESPONSES, json=HELLO | {"text": text}))
    assert (status, code) == (400, "invalid_value")
    assert str(found).startswith(param)


def test_what_a_lax_schema_leaves_open_is_said(client: TestClient) -> None:
    open_part = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
    for fields in ({}, {"stream": True}):
        reply = client.post(RESPONSES, json=HELLO | {"text": schema(open_part)} | fields)
        assert reply.status_code == 200, reply.text
        assert "uniqueItems" in reply.headers["x-schema-warnings"]


def test_a_required_call_has_to_follow_the_parameters(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says('<tool_call>\n{"name": "weather", "arguments": {}}\n</tool_call>')
    response = respond(client, tools=[{**WEATHER, "strict": False}], tool_choice="required")
    assert engine.requests[-1].grammar is not None
    assert response.output[0].name == "weather"
