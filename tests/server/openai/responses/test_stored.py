"""Stored responses: continued, looked at, listed, deleted; and nobody else's."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses import ResponseItem
from pydantic import SecretStr, TypeAdapter
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.responses.asking import (
    HELLO,
    PARIS,
    RESPONSES,
    WEATHER,
    prompt_of,
    refusal,
    respond,
    stream,
)
from tests.server.openai.support import Bench, fake_engine, says

_ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)


def input_items(client: TestClient, response_id: str, **query: Any) -> dict[str, Any]:
    reply = client.get(f"{RESPONSES}/{response_id}/input_items", params=query)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    for item in body["data"]:
        _ITEM.validate_json(json.dumps(item), strict=True)
    return body


def test_a_response_is_found_as_it_was_sent(client: TestClient) -> None:
    reply = client.post(RESPONSES, json=HELLO)
    assert client.get(f"{RESPONSES}/{reply.json()['id']}").json() == reply.json()
    streamed = stream(client)[-1].response
    assert client.get(f"{RESPONSES}/{streamed.id}").json()["status"] == "completed"


def test_a_response_that_is_not_to_be_stored_is_not(client: TestClient) -> None:
    reply = client.post(RESPONSES, json=HELLO | {"store": False})
    assert reply.json()["store"] is False
    missing = client.get(f"{RESPONSES}/{reply.json()['id']}")
    assert refusal(missing) == (404, "not_found", "response_id")


def test_a_conversation_goes_on_from_response_to_response(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("First answer")
    first = respond(client, input="First question", instructions="Be brief.")
    engine.script = says("Second answer")
    second = respond(client, input="Second question", previous_response_id=first.id)
    respond(client, input="Third question", previous_response_id=second.id)
    prompt = prompt_of(engine.requests[-1])
    turns = ["First question", "First answer", "Second question", "Second answer", "Third question"]
    places = [prompt.index(turn) for turn in turns]
    assert places == sorted(places)
    assert "Be brief." not in prompt
    assert second.previous_response_id == first.id


def test_calls_and_their_results_are_remembered(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says(f"Hm\n{PARIS}")
    first = respond(client, input="Weather in Paris?", tools=[WEATHER])
    call = first.output[1]
    assert call.type == "function_call"
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "12 degrees"}
    respond(client, input=[output], previous_response_id=first.id, tools=[WEATHER])
    remembered = engine.requests[-1].prompt_ids
    items: list[dict[str, Any]] = [
        {"role": "user", "content": "Weather in Paris?"},
        *[json.loads(item.model_dump_json(exclude_none=True)) for item in first.output],
        output,
    ]
    respond(client, input=items, tools=[WEATHER], store=False)
    assert engine.requests[-1].prompt_ids == remembered
    assert '"city": "Paris"' in prompt_of(engine.requests[-1])
    assert "12 degrees" in prompt_of(engine.requests[-1])


def test_an_item_can_be_referred_to_by_its_id(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("Remember me")
    first = respond(client)
    reference = {"type": "item_reference", "id": first.output[0].id}
    again = respond(client, input=[{"role": "user", "content": "Hello"}, reference])
    assert "Remember me" in prompt_of(engine.requests[-1])
    listed = input_items(client, again.id, order="asc")["data"]
    assert listed[1]["id"] == first.output[0].id
    for item_id in ("msg_unknown", first.output[0].id.replace("_0", "_9"), "x" * 100):
        unknown = {"type": "item_reference", "id": item_id}
        reply = client.post(RESPONSES, json=HELLO | {"input": [unknown]})
        assert refusal(reply) == (400, "invalid_value", "input[0].id")


def test_the_input_is_listed_with_what_came_before(client: TestClient) -> None:
    first = respond(client, input="One")
    items = [
        {"role": "developer", "content": [{"type": "input_text", "text": "Two"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "user", "id": "msg_mine", "content": "Three"},
    ]
    second = respond(client, input=items, previous_response_id=first.id)
    listed = input_items(client, second.id, order="asc")
    texts = [item["content"][0]["text"] for item in listed["data"] if item["type"] == "message"]
    assert texts == ["One", "Hi", "Two", "Three"]
    assert [item["type"] for item in listed["data"]][3] == "reasoning"
    assert (listed["has_more"], listed["last_id"]) == (False, "msg_mine")
    newest = input_items(client, second.id, limit=2)
    assert [item["id"] for item in newest["data"]] == ["msg_mine", "rs_1"]
    rest = input_items(client, second.id, limit=10, after=newest["last_id"])
    assert len(rest["data"]) == 3
    assert refusal(client.get(f"{RESPONSES}/{second.id}/input_items?after=x"))[2] == "after"
    assert refusal(client.get(f"{RESPONSES}/{second.id}/input_items?limit=101"))[2] == "limit"


def test_a_deleted_response_is_gone_and_cannot_be_continued(client: TestClient) -> None:
    first = respond(client)
    second = respond(client, previous_response_id=first.id)
    gone = client.delete(f"{RESPONSES}/{first.id}")
    assert gone.json() == {"id": first.id, "object": "response", "deleted": True}
    assert client.get(f"{RESPONSES}/{first.id}").status_code == 404
    assert client.delete(f"{RESPONSES}/{first.id}").status_code == 404
    for response_id in (first.id, second.id):
        reply = client.post(RESPONSES, json=HELLO | {"previous_response_id": response_id})
        code = "previous_response_not_found"
        assert refusal(reply) == (400, code, "previous_response_id")
    assert client.get(f"{RESPONSES}/{second.id}").status_code == 200


def test_responses_outlive_the_server(bench: Bench, tmp_path: Path) -> None:
    storage = str(tmp_path / "storage.sqlite3")
    engine = fake_engine(says("Kept"))
    with TestClient(bench.app(engine, storage=storage), base_url="http://localhost") as client:
        first = respond(client)
    with TestClient(bench.app(engine, storage=storage), base_url="http://localhost") as client:
        assert client.get(f"{RESPONSES}/{first.id}").json()["status"] == "completed"
        respond(client, previous_response_id=first.id)
    assert "Kept" in prompt_of(engine.requests[-1])


def test_each_key_sees_and_continues_its_own_responses_only(bench: Bench, tmp_path: Path) -> None:
    keys = [SecretStr("alice"), SecretStr("bob")]
    storage = str(tmp_path / "storage.sqlite3")
    app = bench.app(fake_engine(says("Hi")), storage=storage, api_key=keys)
    with TestClient(app, base_url="http://localhost") as client:
        client.headers["authorization"] = "Bearer alice"
        response = respond(client)
        client.headers["authorization"] = "Bearer bob"
        path = f"{RESPONSES}/{response.id}"
        for reply in (
            client.get(path),
            client.delete(path),
            client.post(f"{path}/cancel"),
            client.get(f"{path}/input_items"),
        ):
            assert refusal(reply) == (404, "not_found", "response_id")
        continued = client.post(RESPONSES, json=HELLO | {"previous_response_id": response.id})
        assert refusal(continued)[1] == "previous_response_not_found"
        reference = {"type": "item_reference", "id": response.output[0].id}
        referred = client.post(RESPONSES, json=HELLO | {"input": [reference]})
        assert refusal(referred)[2] == "input[0].id"


def test_a_storage_that_fails_costs_the_memory_but_not_the_reply(
    bench: Bench, tmp_path: Path
) -> None:
    broken = tmp_path / "storage.sqlite3"
    broken.write_bytes(b"not a database " * 1000)
    app = bench.app(fake_engine(says("Hi")), storage=str(broken))
    with TestClient(app, base_url="http://localhost") as client:
        assert client.post(RESPONSES, json=HELLO).json()["store"] is False
        final = stream(client)[-1].response
        assert (final.status, final.output_text) == ("completed", "Hi")
        for reply in (
            client.get(f"{RESPONSES}/{final.id}"),
            client.post(RESPONSES, json=HELLO | {"background": True}),
            client.post(RESPONSES, json=HELLO | {"previous_response_id": final.id}),
        ):
            assert refusal(reply)[:2] == (503, "storage_unavailable")


@pytest.mark.parametrize("fields", [{}, {"instructions": "Be brief.", "tools": [WEATHER]}])
def test_input_tokens_are_counted_without_an_answer(
    client: TestClient, engine: FakeEngine, fields: dict[str, Any]
) -> None:
    first = respond(client)
    asked = {"input": "And now?", "previous_response_id": first.id, **fields}
    num_requests = len(engine.requests)
    counted = client.post(f"{RESPONSES}/input_tokens", json=asked).json()
    assert len(engine.requests) == num_requests
    response = respond(client, **asked)
    assert response.usage is not None
    assert counted == {
        "object": "response.input_tokens",
        "input_tokens": response.usage.input_tokens,
    }
