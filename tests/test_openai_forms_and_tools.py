"""Forms, tools and streams together, through OpenAI's own client against the demo model."""

import json
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.conftest import DemoServer

PLAN = {
    "type": "object",
    "properties": {"steps": {"type": "array", "items": {"enum": ["walk", "wait"]}, "maxItems": 3}},
    "required": ["steps"],
    "additionalProperties": False,
}
MOVE = {
    "type": "object",
    "properties": {
        "direction": {"enum": ["north", "south"]},
        "steps": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["direction", "steps"],
    "additionalProperties": False,
}
TOOLS: Any = [{"type": "function", "function": {"name": "move", "parameters": MOVE}}]
FORM: Any = {
    "type": "json_schema",
    "json_schema": {"name": "plan", "schema": PLAN, "strict": True},
}


def fields(server: DemoServer, prompt: str, **more: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": server.model, "temperature": 0, "max_tokens": 120}
    return {**asked, "messages": [{"role": "user", "content": prompt}], **more}


def streamed(client: OpenAI, asked: dict[str, Any]) -> Any:
    """The one choice of a stream, put together by the client itself."""
    with client.chat.completions.stream(**asked) as stream:
        return stream.get_final_completion().choices[0]


def is_plan(value: Any) -> bool:
    return list(value) == ["steps"] and set(value["steps"]) <= {"walk", "wait"}


@pytest.mark.parametrize("prompt", ["Hello!", "What is the weather in Paris?", "]]}"])
def test_beside_tools_a_reply_is_calls_or_has_the_form_streamed_or_not(
    client: OpenAI, demo_server: DemoServer, prompt: str
) -> None:
    asked = fields(demo_server, prompt, tools=TOOLS, response_format=FORM)
    whole = client.chat.completions.create(**asked).choices[0]
    stream = streamed(client, asked)
    assert stream.message.content == whole.message.content
    assert stream.finish_reason == whole.finish_reason
    if whole.message.tool_calls:
        assert whole.message.content is None
        assert whole.finish_reason == "tool_calls"
    else:
        assert is_plan(json.loads(whole.message.content or ""))
        assert whole.finish_reason == "stop"


def test_a_form_is_followed_where_no_tool_may_be_called(
    client: OpenAI, demo_server: DemoServer
) -> None:
    asked = fields(demo_server, "Go!", tools=TOOLS, response_format=FORM, tool_choice="none")
    reply = client.chat.completions.create(**asked).choices[0]
    assert is_plan(json.loads(reply.message.content or ""))


def test_streamed_arguments_follow_the_schema_of_their_tool(
    client: OpenAI, demo_server: DemoServer
) -> None:
    asked = fields(demo_server, "Hello!", tools=TOOLS, tool_choice="required")
    asked["parallel_tool_calls"] = False
    whole = client.chat.completions.create(**asked).choices[0]
    (call,) = streamed(client, asked).message.tool_calls
    (same,) = whole.message.tool_calls or []
    assert same.type == "function"
    assert call.function.arguments == same.function.arguments
    arguments = json.loads(call.function.arguments)
    assert list(arguments) == ["direction", "steps"]
    assert arguments["direction"] in {"north", "south"}
    assert 1 <= arguments["steps"] <= 9


def test_a_model_that_wants_nothing_but_white_space_gets_none_into_json(
    client: OpenAI, demo_server: DemoServer
) -> None:
    bias: dict[str, int] = {}
    for text in (" ", "\n", "\t", "  ", "\n\n"):
        body = {"model": demo_server.model, "prompt": text}
        tokens = httpx2.post(f"{demo_server.url}/tokenize", json=body).json()["tokens"]
        bias |= {str(token_id): 100 for token_id in tokens}
    asked = fields(demo_server, "Go!", response_format=FORM, logit_bias=bias)
    reply = client.chat.completions.create(**asked).choices[0]
    assert reply.finish_reason == "stop"
    text = reply.message.content or ""
    assert text == json.dumps(json.loads(text))
