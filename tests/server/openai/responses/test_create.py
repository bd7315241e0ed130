"""POST /v1/responses: what comes back whole and streamed, and that both are the same."""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage
from starlette.testclient import TestClient

from engine.errors import QueueFull, WorkerDied
from engine.request import TokenLogprob
from tests.fakes import FakeEngine, Script
from tests.server.openai.responses.asking import (
    HELLO,
    PARIS,
    RESPONSES,
    WEATHER,
    prompt_of,
    refusal,
    respond,
    stream,
    types,
)
from tests.server.openai.support import MODEL, Bench, fake_engine, says

ROME = PARIS.replace("Paris", "Rome")
TEXT = ["output_item.added", "content_part.added", "output_text.delta", "output_text.done"]
TEXT += ["content_part.done", "output_item.done"]
CALL = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done"]
CALL += ["output_item.done"]


def test_a_response_has_its_text_its_usage_and_what_was_asked(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("Hi 漢")
    response = respond(client, metadata={"run": "7"}, temperature=0.5, user="me", top_p=0.25)
    assert response.output_text == "Hi 漢"
    (message,) = response.output
    assert isinstance(message, ResponseOutputMessage)
    assert (message.status, response.status, response.error) == ("completed", "completed", None)
    assert response.completed_at is not None
    assert response.usage is not None
    num_prompt = len(engine.requests[-1].prompt_ids)
    assert (response.usage.input_tokens, response.usage.output_tokens) == (num_prompt, 7)
    assert response.usage.total_tokens == num_prompt + 7
    assert response.usage.input_tokens_details.cached_tokens == 0
    assert (response.metadata, response.temperature, response.top_p) == ({"run": "7"}, 0.5, 0.25)
    assert (response.user, response.model) == ("me", MODEL)


def test_a_stream_tells_the_same_in_the_order_that_clients_expect(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("Hi there")
    told = stream(client)
    assert types(told) == ["created", "in_progress", *TEXT, "completed"]
    deltas = [event for event in told if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in deltas) == "Hi there"
    assert {event.item_id for event in deltas} == {told[2].item.id}
    final = told[-1].response
    assert final.output_text == "Hi there"
    assert final.output == [event.item for event in told if event.type.endswith("item.done")]
    assert told[0].response.output == []
    assert (told[0].response.status, told[0].response.id) == ("in_progress", final.id)
    whole = respond(client)
    ignored = {"id", "created_at", "completed_at", "output"}
    assert whole.model_dump(exclude=ignored) == final.model_dump(exclude=ignored)
    assert whole.output_text == final.output_text


def test_a_reply_that_is_cut_is_incomplete(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("x" * 100)
    told = stream(client, max_output_tokens=16)
    assert types(told)[-1] == "incomplete"
    for response in (told[-1].response, respond(client, max_output_tokens=16)):
        assert response.output_text == "x" * 16
        assert response.output[0].status == "incomplete"
        assert response.incomplete_details.reason == "max_output_tokens"
        assert (response.status, response.completed_at) == ("incomplete", None)


def test_a_reply_without_a_word_still_has_a_message(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("")
    told = stream(client)
    shown = ["output_item.added", "content_part.added", "output_text.done"]
    shown += ["content_part.done", "output_item.done"]
    assert types(told) == ["created", "in_progress", *shown, "completed"]
    assert respond(client).output_text == ""


def test_calls_are_items_of_their_own(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says(f"Hm\n{PARIS}\n{ROME}")
    told = stream(client, tools=[WEATHER])
    assert types(told) == ["created", "in_progress", *TEXT, *CALL, *CALL, "completed"]
    for response in (told[-1].response, respond(client, tools=[WEATHER])):
        message, *calls = response.output
        assert message.content[0].text == "Hm"
        assert all(isinstance(call, ResponseFunctionToolCall) for call in calls)
        assert [call.arguments for call in calls] == ['{"city": "Paris"}', '{"city": "Rome"}']
        assert {(call.name, call.status) for call in calls} == {("weather", "completed")}
        assert len({call.call_id for call in calls}) == 2
        assert response.tools[0].name == "weather"
    pieces: dict[int, str] = {}
    for event in told:
        if event.type == "response.function_call_arguments.delta":
            pieces[event.output_index] = pieces.get(event.output_index, "") + event.delta
    assert pieces == {1: '{"city": "Paris"}', 2: '{"city": "Rome"}'}


def test_a_call_that_breaks_off_is_text_and_no_output_of_its_own(
    client: TestClient, engine: FakeEngine
) -> None:
    broken = PARIS.replace('"}}', "")
    engine.script = says(broken)
    told = stream(client, tools=[WEATHER])
    assert types(told) == ["created", "in_progress", *CALL, *TEXT, "completed"]
    closed = [event.item for event in told if event.type == "response.output_item.done"]
    assert [item.status for item in closed] == ["incomplete", "completed"]
    for response in (told[-1].response, respond(client, tools=[WEATHER])):
        assert [item.type for item in response.output] == ["message"]
        assert response.output_text == broken


@pytest.mark.parametrize(
    "fields", [{"top_logprobs": 2}, {"include": ["message.output_text.logprobs"]}]
)
def test_log_probabilities_come_with_the_text_if_asked_for(
    client: TestClient, engine: FakeEngine, fields: dict[str, Any]
) -> None:
    likely = (TokenLogprob(104, -0.5), TokenLogprob(105, -2.5))[: fields.get("top_logprobs", 0)]
    engine.script = says("hé", logprob=-0.5, top_logprobs=likely)
    assert client.post(RESPONSES, json=HELLO).json()["output"][0]["content"][0]["logprobs"] == []
    told = stream(client, **fields)
    in_deltas = [
        entry.model_dump(include={"token", "logprob"})
        for event in told
        if event.type == "response.output_text.delta"
        for entry in event.logprobs
    ]
    part = respond(client, **fields).output[0].content[0]
    entries = part.logprobs
    assert entries is not None
    assert [entry.bytes for entry in entries] == [[104], [0xC3], [0xA9]]
    assert [entry.model_dump(include={"token", "logprob"}) for entry in entries] == in_deltas
    assert [len(entry.top_logprobs) for entry in entries] == [len(likely)] * 3


def test_an_error_before_the_model_begins_is_a_reply_of_its_own(
    client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "submit_error", QueueFull("full", retry_after=3))
    for fields in ({}, {"stream": True}):
        reply = client.post(RESPONSES, json=HELLO | fields)
        assert refusal(reply) == (503, "overloaded", None)
        assert reply.headers["retry-after"] == "3"


def test_an_error_on_the_way_ends_the_stream_with_a_failed_response(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed by 9"))
    told = stream(client)
    assert types(told)[-1] == "failed"
    response = told[-1].response
    assert (response.status, response.error.code) == ("failed", "server_error")
    assert "killed" not in response.error.message
    assert response.output[0].content[0].text == "Hi"
    assert response.output[0].status == "incomplete"
    assert response.usage.output_tokens == 2
    stored = client.get(f"{RESPONSES}/{response.id}").json()
    assert stored == response.model_dump(mode="json", exclude_unset=True) | stored
    assert stored["status"] == "failed"
    assert refusal(client.post(RESPONSES, json=HELLO)) == (500, "worker_died", None)


def test_leaving_a_stream_frees_the_slot(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("x" * 1000, delay=0.01)
    with client.stream("POST", RESPONSES, json=HELLO | {"stream": True}) as reply:
        next(reply.iter_lines())
    for _ in range(500):
        if not engine.active:
            return
        time.sleep(0.01)
    pytest.fail("the slot is still taken")


def test_instructions_come_first_and_are_not_part_of_the_input(
    client: TestClient, engine: FakeEngine
) -> None:
    response = respond(client, instructions="Be brief.")
    prompt = prompt_of(engine.requests[-1])
    assert prompt.index("Be brief.") < prompt.index("Hello")
    assert response.instructions == "Be brief."
    items = client.get(f"{RESPONSES}/{response.id}/input_items").json()["data"]
    assert [item["role"] for item in items] == ["user"]


ENDS = ("", "\n", "text after", PARIS[:40], PARIS)


@given(
    parts=st.lists(st.sampled_from(["Hi ", "漢字", PARIS, ROME, "<tool_call>", "{}"]), max_size=5),
    end=st.sampled_from(ENDS),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_deltas_of_any_reply_add_up_to_its_items(
    client: TestClient, engine: FakeEngine, parts: list[str], end: str
) -> None:
    engine.script = says("".join(parts) + end)
    told = stream(client, tools=[WEATHER])
    texts: dict[str, str] = {}
    for event in told:
        if event.type.endswith(".delta"):
            texts[event.item_id] = texts.get(event.item_id, "") + event.delta
    final = told[-1].response
    for item in final.output:
        written = item.arguments if item.type == "function_call" else item.content[0].text
        assert texts.get(item.id, "") == written
    whole = respond(client, tools=[WEATHER])
    assert [item.type for item in whole.output] == [item.type for item in final.output]
    assert whole.output_text == final.output_text


def test_without_a_storage_responses_are_answered_but_not_kept(bench: Bench) -> None:
    with TestClient(bench.app(fake_engine(says("Hi"))), base_url="http://localhost") as client:
        reply = client.post(RESPONSES, json=HELLO)
        assert (reply.status_code, reply.json()["store"]) == (200, False)
        assert refusal(client.get(f"{RESPONSES}/{reply.json()['id']}")) == (
            404,
            "storage_off",
            None,
        )
        for field in ("store", "background"):
            refused = client.post(RESPONSES, json=HELLO | {field: True})
            assert refusal(refused) == (400, "unsupported_parameter", field)
        continued = client.post(RESPONSES, json=HELLO | {"previous_response_id": "resp_1"})
        assert refusal(continued) == (404, "storage_off", None)
