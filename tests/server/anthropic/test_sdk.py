"""Anthropic's published Python client against a scripted server: its helpers and its errors."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from engine.errors import QueueFull, WorkerDied
from tests.fakes import FakeEngine, Script
from tests.server.anthropic.asking import NOON, PARIS
from tests.server.openai.support import MODEL, Bench, says

KEY = "k" * 32
ASKED: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hello"}]
TOOL: anthropic.types.ToolParam = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture(scope="module")
def url(bench: Bench, engine: FakeEngine) -> Iterator[str]:
    with bench.live(engine, api_key=[KEY]) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def sdk(url: str) -> Iterator[Anthropic]:
    with Anthropic(api_key=KEY, base_url=url, max_retries=0) as sdk:
        yield sdk


def create(sdk: Anthropic, **fields: Any) -> anthropic.types.Message:
    reply = sdk.messages.create(model=MODEL, max_tokens=500, messages=ASKED, **fields)
    assert isinstance(reply, anthropic.types.Message)
    return reply


def test_a_stream_is_followed_by_the_clients_helper(sdk: Anthropic, engine: FakeEngine) -> None:
    engine.script = says(f"Let me look.\n{PARIS}\n{NOON}")
    with sdk.messages.stream(model=MODEL, max_tokens=500, messages=ASKED, tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert {"text", "input_json", "content_block_stop", "message_stop"} <= set(kinds)
    whole = create(sdk, tools=[TOOL])
    assert [block.model_dump(exclude={"id"}) for block in final.content] == [
        block.model_dump(exclude={"id"}) for block in whole.content
    ]
    assert (final.stop_reason, final.usage) == (whole.stop_reason, whole.usage)


async def test_an_asynchronous_stream_is_followed_too(url: str, engine: FakeEngine) -> None:
    engine.script = says("Hi there")
    async with AsyncAnthropic(auth_token=KEY, base_url=url, max_retries=0) as sdk:
        async with sdk.messages.stream(model=MODEL, max_tokens=500, messages=ASKED) as stream:
            pieces = [text async for text in stream.text_stream]
            final = await stream.get_final_message()
        counted = await sdk.messages.count_tokens(model=MODEL, messages=ASKED)
    assert len(pieces) > 1
    assert "".join(pieces) == "Hi there"
    assert counted.input_tokens == final.usage.input_tokens


def test_the_clients_runner_lets_tools_work(sdk: Anthropic, engine: FakeEngine) -> None:
    asked = []

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: Where.
        """
        asked.append(city)
        return "rain"

    engine.script = lambda request: says(
        "Rain." if b"rain" in bytes(token for token in request.prompt_ids if token < 256) else PARIS
    )
    runner = sdk.beta.messages.tool_runner(
        model=MODEL, max_tokens=500, messages=[{"role": "user", "content": "?"}], tools=[weather]
    )
    last = runner.until_done()
    assert asked == ["Paris"]
    assert [getattr(block, "text", "") for block in last.content] == ["Rain."]


def test_an_eager_stream_of_the_beta_client_adds_up(sdk: Anthropic, engine: FakeEngine) -> None:
    engine.script = says(PARIS)
    with sdk.beta.messages.stream(
        model=MODEL,
        max_tokens=500,
        messages=[{"role": "user", "content": "?"}],
        tools=[{**TOOL, "eager_input_streaming": True}],
        context_management={"edits": [{"type": "clear_thinking_20251015"}]},
        betas=["context-management-2025-06-27"],
    ) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    assert len(pieces) > 5
    (block,) = final.content
    assert block.type == "tool_use"
    assert block.input == json.loads("".join(pieces)) == {"city": "Paris"}


def test_errors_arrive_as_the_clients_own_types(
    sdk: Anthropic, engine: FakeEngine, url: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as wrong:
        create(sdk, extra_body={"temperature": 2})
    assert (wrong.value.type, wrong.value.api_message) == (
        "invalid_request_error",
        "temperature: Input should be less than or equal to 1",
    )
    assert wrong.value.request_id
    with pytest.raises(anthropic.NotFoundError):
        sdk.messages.count_tokens(model="claude-opus-5", messages=ASKED)
    with Anthropic(api_key="x", base_url=url, max_retries=0) as stranger:
        with pytest.raises(anthropic.AuthenticationError):
            create(stranger)
    engine.submit_error = QueueFull("full", 1)
    try:
        with pytest.raises(anthropic.APIStatusError) as busy:
            create(sdk)
    finally:
        engine.submit_error = None
    assert (busy.value.status_code, busy.value.type) == (529, "overloaded_error")


def test_a_failure_in_a_stream_is_raised(sdk: Anthropic, engine: FakeEngine) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    stream = sdk.messages.create(model=MODEL, max_tokens=500, messages=ASKED, stream=True)
    with pytest.raises(anthropic.APIStatusError) as failed:
        list(stream)
    assert failed.value.type == "api_error"


def test_models_are_paged_through(sdk: Anthropic) -> None:
    names = [model.id for model in sdk.models.list(limit=1)]
    assert names[0] == MODEL
    assert len(names) == 2
    assert sdk.models.retrieve(MODEL).display_name == MODEL
