"""Asks a server under test for messages, and reads them through the types of Anthropic's client."""

import json
from typing import Any

import httpx2
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from pydantic import TypeAdapter

from engine.request import GenerationRequest
from tests.fakes import FakeEngine
from tests.server.openai.support import MODEL

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
ASKED = [{"role": "user", "content": "Hello"}]
HELLO: dict[str, Any] = {"model": MODEL, "max_tokens": 1000, "messages": ASKED}
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "Tells",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CLOCK: dict[str, Any] = {"name": "clock", "input_schema": {"type": "object", "properties": {}}}
TOOLS = [WEATHER, CLOCK]
PARIS = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
NOON = '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>'
BROKEN = PARIS.replace('"Paris"', "Paris")

_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def texts(*said: str) -> list[dict[str, Any]]:
    """Blocks of text."""
    return [{"type": "text", "text": text} for text in said]


def message(client: httpx2.Client, **fields: Any) -> Message:
    response = client.post(MESSAGES, json=HELLO | fields)
    assert response.status_code == 200, response.text
    return Message.model_validate_json(response.content, strict=True)


def frames(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and data of every event."""
    events = []
    for frame in text.removesuffix("\n\n").split("\n\n"):
        name, data = frame.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


def events_in(text: str) -> list[RawMessageStreamEvent]:
    told = frames(text)
    assert all(name == data["type"] for name, data in told)
    return [_EVENT.validate_python(data, strict=True) for _, data in told]


def events(
    client: httpx2.Client, headers: dict[str, str] | None = None, **fields: Any
) -> list[RawMessageStreamEvent]:
    response = client.post(MESSAGES, json=HELLO | {"stream": True} | fields, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    return events_in(response.text)


def added_up(told: list[RawMessageStreamEvent]) -> Message:
    """The message that the events of a stream make, and that each comes where it may."""
    first, *rest, delta, last = told
    assert first.type == "message_start"
    assert delta.type == "message_delta"
    assert last.type == "message_stop"
    whole = first.message.model_dump()
    pieces: list[str] = []
    is_open = False
    for event in rest:
        if event.type == "content_block_start":
            assert not is_open
            assert event.index == len(whole["content"])
            whole["content"].append(event.content_block.model_dump())
            pieces, is_open = [], True
        elif event.type == "content_block_delta":
            assert is_open
            assert event.index == len(whole["content"]) - 1
            if event.delta.type == "text_delta":
                pieces.append(event.delta.text)
            else:
                assert event.delta.type == "input_json_delta"
                pieces.append(event.delta.partial_json)
        else:
            assert event.type == "content_block_stop"
            assert (is_open, event.index) == (True, len(whole["content"]) - 1)
            is_open = False
            block = whole["content"][-1]
            if block["type"] == "text":
                block["text"] = "".join(pieces)
            else:
                block["input"] = json.loads("".join(pieces))
    assert not is_open
    whole |= delta.delta.model_dump()
    whole["usage"] |= delta.usage.model_dump()
    return Message.model_validate(whole)


def alike(reply: Message) -> dict[str, Any]:
    """A message without what differs each time."""
    told = reply.model_dump()
    told.pop("id")
    for block in told["content"]:
        block.pop("id", None)
    return told


def refused(client: httpx2.Client, status: int, route: str = MESSAGES, **fields: Any) -> str:
    """The text of an error, after checking its shape."""
    response = client.post(route, json=HELLO | fields)
    assert response.status_code == status, response.text
    told = ErrorResponse.model_validate_json(response.content, strict=True)
    assert response.json().keys() == {"type", "error", "request_id"}
    assert told.request_id == response.headers["request-id"]
    return told.error.message


def prompt_of(engine: FakeEngine) -> str:
    """The last prompt, its control tokens left out: roles stand on lines of their own."""
    request: GenerationRequest = engine.requests[-1]
    return bytes(token for token in request.prompt_ids if token < 256).decode()


def shown(client: httpx2.Client, engine: FakeEngine, **fields: Any) -> str:
    """The prompt that a request makes."""
    message(client, **fields)
    return prompt_of(engine)
