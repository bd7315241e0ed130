"""Streams: they add up to the whole reply, and stay alive, and end as they should."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.errors import QueueTimeout, WorkerDied
from tests.fakes import FakeEngine, Script
from tests.server.anthropic.asking import (
    BROKEN,
    HELLO,
    MESSAGES,
    NOON,
    PARIS,
    TOOLS,
    added_up,
    alike,
    events,
    frames,
    message,
    refused,
)
from tests.server.openai.support import Bench, says
from tests.server.wire import exchange, post

SAID = [
    "Hi",
    "",
    "héllo 漢 there",
    f"Hm\n{PARIS}",
    f"{PARIS}\n{NOON}",
    f"{PARIS} and more",
    f"Hm\n{BROKEN}",
    f"{NOON}\n{BROKEN}",
    PARIS[:-20],
    "<tool_call>no",
]
EAGER = {"anthropic-beta": "x-2025-01-01, fine-grained-tool-streaming-2025-05-14"}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tools": TOOLS},
        {"tools": TOOLS, "max_tokens": 20},
        {"tools": TOOLS, "stop_sequences": ["there", "Par"]},
        {"tools": TOOLS, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ],
    ids=["plain", "tools", "cut", "stops", "one call"],
)
def test_a_stream_adds_up_to_the_whole_reply(
    client: TestClient, engine: FakeEngine, said: str, fields: dict[str, Any]
) -> None:
    engine.script = says(said)
    streamed = added_up(events(client, None, **fields))
    assert alike(streamed) == alike(message(client, **fields))


def test_the_beginning_tells_the_exact_input_and_no_output(
    client: TestClient, engine: FakeEngine
) -> None:
    first = events(client)[0]
    assert first.type == "message_start"
    assert first.message.usage.input_tokens == len(engine.requests[-1].prompt_ids)
    assert first.message.usage.output_tokens == 0
    assert (first.message.content, first.message.stop_reason) == ([], None)


def inputs_of(told: list[Any]) -> list[str]:
    deltas = [event.delta for event in told if event.type == "content_block_delta"]
    return [delta.partial_json for delta in deltas if delta.type == "input_json_delta"]


@pytest.mark.parametrize(
    ("eager", "headers", "is_eager"),
    [
        (None, None, False),
        (None, EAGER, True),
        (True, None, True),
        (False, EAGER, False),
    ],
)
def test_the_input_of_a_call_is_told_as_it_is_written_if_that_is_asked_for(
    client: TestClient,
    engine: FakeEngine,
    eager: bool | None,
    headers: dict[str, str] | None,
    is_eager: bool,
) -> None:
    engine.script = says(PARIS)
    tools = [TOOLS[0] | {"eager_input_streaming": eager}]
    told = events(client, headers, tools=tools)
    assert (len(inputs_of(told)) > 5) is is_eager
    assert json.loads("".join(inputs_of(told))) == {"city": "Paris"}
    assert alike(added_up(told)) == alike(message(client, tools=tools))


def test_an_eager_call_that_breaks_is_ended_and_followed_by_its_text(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(f"Hm\n{BROKEN}")
    told = events(client, EAGER, tools=TOOLS)
    begun = [event.content_block.type for event in told if event.type == "content_block_start"]
    assert begun == ["text", "tool_use", "text"]
    texts = [
        event.delta.text
        for event in told
        if event.type == "content_block_delta" and event.delta.type == "text_delta"
    ]
    whole = message(client, tools=TOOLS)
    (block,) = whole.content
    assert "".join(texts) == getattr(block, "text", None)
    ending = told[-2]
    assert ending.type == "message_delta"
    assert ending.delta.stop_reason == whole.stop_reason == "end_turn"


def test_a_failure_after_the_beginning_is_the_last_event(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    response = client.post(MESSAGES, json=HELLO | {"stream": True})
    name, told = frames(response.text)[-1]
    assert (name, told["error"]["type"]) == ("error", "api_error")
    assert told["request_id"] == response.headers["request-id"]
    assert "killed" not in response.text
    assert "message_stop" not in response.text


def test_a_failure_before_there_is_anything_to_tell_has_its_own_status(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.submit_error = QueueTimeout("late")
    try:
        assert "its turn" in refused(client, 529, stream=True)
    finally:
        engine.submit_error = None


@pytest.fixture(scope="module")
def port(bench: Bench, engine: FakeEngine) -> Iterator[int]:
    with bench.live(engine, keep_alive_interval=0.05) as port:
        yield port


def test_silence_is_filled_with_pings(port: int, engine: FakeEngine) -> None:
    engine.script = says("Hi", prefill_delay=0.4)
    body = json.dumps(HELLO | {"stream": True}).encode()
    told = frames(exchange(port, post(MESSAGES, body)).body.decode())
    pings = [data for name, data in told if name == "ping"]
    assert pings
    assert all(data == {"type": "ping"} for data in pings)
    names = [name for name, _ in told if name != "ping"]
    assert (names[0], names[-1]) == ("message_start", "message_stop")
