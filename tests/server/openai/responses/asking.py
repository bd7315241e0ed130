"""Asks for responses, and reads bodies and events through the types of OpenAI's own client."""

import json
from typing import Any

import httpx2
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from engine.request import GenerationRequest
from tests.server.openai.support import MODEL

RESPONSES = "/v1/responses"
HELLO: dict[str, Any] = {"model": MODEL, "input": "Hello"}
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
PARIS = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

REQUIRED = {
    "id",
    "object",
    "created_at",
    "error",
    "incomplete_details",
    "instructions",
    "model",
    "tools",
    "output",
    "parallel_tool_calls",
    "metadata",
    "tool_choice",
    "temperature",
    "top_p",
}
"""The keys that OpenAI's specification requires of a response, whatever their values."""


def respond(client: httpx2.Client, **fields: Any) -> Any:
    """A `Response`; as Any, because its items and parts are unions of dozens of types."""
    return read(client.post(RESPONSES, json=HELLO | fields))


def read(reply: httpx2.Response) -> Any:
    assert reply.status_code == 200, reply.text
    assert reply.json().keys() >= REQUIRED
    return Response.model_validate_json(reply.content, strict=True)


def stream(client: httpx2.Client, **fields: Any) -> list[Any]:
    return events(client.post(RESPONSES, json=HELLO | fields | {"stream": True}))


def events(reply: httpx2.Response) -> list[Any]:
    """Every event, checked: its name is its type, and the numbers go up by one."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    parsed = []
    for frame in reply.text.replace("\r\n", "\n").split("\n\n"):
        lines = [line for line in frame.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        name, data = lines
        payload = json.loads(data.removeprefix("data: "))
        assert name == f"event: {payload['type']}"
        parsed.append(_EVENT.validate_json(data.removeprefix("data: ")))
    numbers = [event.sequence_number for event in parsed]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return parsed


def types(told: list[Any]) -> list[str]:
    """The types of the events in order, without their common prefix, deltas folded into one."""
    names = [event.type.removeprefix("response.") for event in told]
    return [
        name
        for index, name in enumerate(names)
        if not (name.endswith("delta") and index and names[index - 1] == name)
    ]


def refusal(reply: httpx2.Response) -> tuple[int, str, str | None]:
    error = reply.json()["error"]
    return reply.status_code, error["code"], error["param"]


def prompt_of(request: GenerationRequest) -> str:
    """The text of a prompt; control tokens are left out."""
    return bytes(token_id for token_id in request.prompt_ids if token_id < 256).decode()
