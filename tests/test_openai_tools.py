"""Tools through OpenAI's own clients, Python and JavaScript, against the demo model."""

import json
from typing import Any

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.conftest import DemoServer
from tests.npm_script import needs_npm, run_script

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather for a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ADD: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}
QUESTION: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "What is the weather in Paris?"}
]
RESULT = json.dumps({"temperature": 21, "condition": "cloudy"})


def test_a_call_its_result_and_the_answer(client: OpenAI, demo_server: DemoServer) -> None:
    fields: dict[str, Any] = {"model": demo_server.model, "tools": [WEATHER, ADD], "temperature": 0}
    reply = client.chat.completions.create(messages=QUESTION, **fields)
    (choice,) = reply.choices
    (call,) = choice.message.tool_calls or []
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"city": "Paris"},
    )
    result = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
    turns: list[Any] = [*QUESTION, choice.message, result]
    answer = client.chat.completions.create(messages=turns, **fields)
    assert "21 degrees and cloudy in Paris" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"


def test_the_stream_helper_builds_the_same_call(client: OpenAI, demo_server: DemoServer) -> None:
    fields: dict[str, Any] = {
        "model": demo_server.model,
        "messages": [{"role": "user", "content": "What is 12 plus 30?"}],
        "tools": [WEATHER, ADD],
        "temperature": 0,
        "seed": 1,
    }
    whole = client.chat.completions.create(**fields).choices[0]
    pieces = []
    with client.chat.completions.stream(**fields) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.delta":
                pieces.append(event.arguments_delta)
        streamed = stream.get_final_completion().choices[0]
    (call,) = whole.message.tool_calls or []
    (same,) = streamed.message.tool_calls or []
    assert call.type == "function"
    assert same.function.name == call.function.name == "add"
    assert same.function.arguments == call.function.arguments == "".join(pieces)
    assert json.loads(call.function.arguments) == {"a": 12, "b": 30}
    assert len([piece for piece in pieces if piece]) > 3
    assert streamed.finish_reason == whole.finish_reason == "tool_calls"


def test_a_tool_that_is_not_to_be_called_is_not(client: OpenAI, demo_server: DemoServer) -> None:
    reply = client.chat.completions.create(
        model=demo_server.model,
        messages=QUESTION,
        tools=[WEATHER],
        tool_choice="none",
        temperature=0,
        max_tokens=64,
    )
    assert reply.choices[0].message.tool_calls is None
    assert "<tool_call>" not in (reply.choices[0].message.content or "")


def test_a_required_call_is_made_where_the_model_would_rather_greet(
    client: OpenAI, demo_server: DemoServer
) -> None:
    fields: dict[str, Any] = {
        "model": demo_server.model,
        "messages": [{"role": "user", "content": "Hello!"}],
        "tools": [WEATHER, ADD],
        "temperature": 0,
        "max_tokens": 100,
    }
    free = client.chat.completions.create(**fields).choices[0]
    required = client.chat.completions.create(tool_choice="required", **fields).choices[0]
    assert (free.message.content or "").startswith("Hello!")
    assert free.message.tool_calls is None
    (call,) = required.message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "add"
    arguments = json.loads(call.function.arguments)
    assert {name: type(value) for name, value in arguments.items()} == {"a": int, "b": int}
    assert required.message.content is None
    assert required.finish_reason == "tool_calls"


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_named_tool_is_called_where_the_model_would_rather_call_another(
    client: OpenAI, demo_server: DemoServer, is_streamed: bool
) -> None:
    fields: dict[str, Any] = {
        "model": demo_server.model,
        "messages": [{"role": "user", "content": "What is 12 plus 30?"}],
        "tools": [WEATHER, ADD],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "temperature": 0,
        "max_tokens": 100,
    }
    if is_streamed:
        with client.chat.completions.stream(**fields) as stream:
            choice: Any = stream.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(**fields).choices[0]
    (call,) = choice.message.tool_calls
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    assert choice.finish_reason == "stop"


@needs_npm("openai")
def test_the_javascript_client_runs_tools_by_itself(demo_server: DemoServer) -> None:
    said = run_script("tools.mjs", demo_server)
    assert said["asked"] == [{"city": "Paris"}, {"city": "Paris"}]
    assert "21 degrees and cloudy in Paris" in said["whole"]
    assert said["streamed"] == said["whole"]
