"""Anthropic's own clients, Python and JavaScript, against the demo model over a real socket."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message, MessageParam, ToolParam
from pydantic import BaseModel

from tests.conftest import DemoServer
from tests.npm_script import needs_npm, run_script

HOSTED = "ibm-granite/granite-4.0-h-micro"
ECHO: list[MessageParam] = [{"role": "user", "content": "Repeat after me: river"}]
WEATHER: list[MessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
GREEDY = {"temperature": 0}
ASKED: dict[str, Any] = {
    "model": HOSTED,
    "max_tokens": 100,
    "messages": ECHO,
    "extra_body": GREEDY,
}
TOOL: ToolParam = {
    "name": "get_weather",
    "description": "Get the current weather for a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}

pytestmark = pytest.mark.slow


@pytest.fixture
def sdk(demo_server: DemoServer) -> Iterator[Anthropic]:
    with Anthropic(api_key="none", base_url=demo_server.url, max_retries=0) as sdk:
        yield sdk


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def create(sdk: Anthropic, **fields: Any) -> Message:
    reply = sdk.messages.create(**ASKED | fields)
    assert isinstance(reply, Message)
    return Message.model_validate_json(reply.to_json(), strict=True)


def streamed(sdk: Anthropic, **fields: Any) -> Message:
    with sdk.messages.stream(**ASKED | fields) as stream:
        return stream.get_final_message()


def alike(message: Message) -> dict[str, Any]:
    told = Message.model_validate(message.model_dump()).model_dump(exclude={"id", "parsed_output"})
    for block in told["content"]:
        block.pop("id", None)
        block.pop("parsed_output", None)
    return told


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"max_tokens": 3},
        {"stop_sequences": ["5"], "messages": [{"role": "user", "content": "Count from 1 to 9."}]},
        {"messages": WEATHER, "tools": [TOOL]},
        {"messages": WEATHER, "tools": [{**TOOL, "eager_input_streaming": True}]},
        {"messages": WEATHER, "tools": [TOOL], "tool_choice": {"type": "none"}},
        {"messages": [*ECHO, {"role": "assistant", "content": "ri"}]},
    ],
    ids=["text", "cut", "stop", "call", "eager", "none", "prefill"],
)
def test_a_stream_says_the_same_as_a_whole_message(sdk: Anthropic, fields: dict[str, Any]) -> None:
    assert alike(streamed(sdk, **fields)) == alike(create(sdk, **fields))


def test_a_message_is_answered_with_exact_counts(sdk: Anthropic) -> None:
    reply = create(sdk, max_tokens=20_000)
    assert "river" in text_of(reply)
    assert reply.stop_reason == "end_turn"
    counted = sdk.messages.count_tokens(model=HOSTED, messages=ECHO)
    assert counted.input_tokens == reply.usage.input_tokens
    stopped = create(
        sdk, messages=[{"role": "user", "content": "Count from 1 to 9."}], stop_sequences=["5"]
    )
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "5")


def test_a_tool_is_called_and_its_result_is_told(sdk: Anthropic) -> None:
    reply = create(sdk, messages=WEATHER, tools=[TOOL], tool_choice={"type": "any"})
    (call,) = [block for block in reply.content if block.type == "tool_use"]
    assert (call.name, call.input, reply.stop_reason) == (
        "get_weather",
        {"city": "Paris"},
        "tool_use",
    )
    result = json.dumps({"temperature": 21, "condition": "cloudy"})
    history: list[MessageParam] = [
        *WEATHER,
        {"role": "assistant", "content": list(reply.content)},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": result}],
        },
    ]
    assert "21" in text_of(create(sdk, messages=history, tools=[TOOL]))


def test_a_demanded_form_is_kept(sdk: Anthropic) -> None:
    class Report(BaseModel):
        city: Literal["Bonn", "Paris"]
        is_sunny: bool

    reply = sdk.messages.parse(
        model=HOSTED, max_tokens=100, messages=WEATHER, output_format=Report, extra_body=GREEDY
    )
    assert reply.parsed_output is not None
    assert reply.parsed_output == Report.model_validate_json(text_of(reply))


async def test_many_clients_at_once_each_get_what_they_get_alone(demo_server: DemoServer) -> None:
    words = ["apple", "stone", "river", "cloud"]
    async with AsyncAnthropic(api_key="none", base_url=demo_server.url, max_retries=0) as sdk:

        async def reply(word: str) -> str:
            asked: MessageParam = {"role": "user", "content": f"Repeat after me: {word}"}
            async with sdk.messages.stream(
                model=HOSTED, max_tokens=24, messages=[asked], extra_body=GREEDY
            ) as stream:
                return await stream.get_final_text()

        alone = [await reply(word) for word in words]
        together = await asyncio.gather(*(reply(word) for word in words))
    assert together == alone
    assert len(set(alone)) == len(words)


@needs_npm("@anthropic-ai/sdk")
def test_the_javascript_client_is_answered(demo_server: DemoServer) -> None:
    told = run_script("anthropic.mjs", demo_server)
    whole = Message.model_validate(told["whole"], strict=True)
    assert "stone" in text_of(whole)
    assert alike(Message.model_validate(told["streamed"])) == alike(whole)
    assert (told["kinds"][0], told["kinds"][-1]) == ("message_start", "message_stop")
    assert told["counted"]["input_tokens"] == whole.usage.input_tokens
    assert told["asked"] == ["Paris"]
    assert "21" in told["run"]["content"][0]["text"]
    assert told["models"] == [demo_server.model, HOSTED]
    assert told["refused"] == {"is400": True, "type": "invalid_request_error"}
