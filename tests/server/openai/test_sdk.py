"""OpenAI's own Python client, with strict checks of every reply, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from engine.errors import QueueFull, WorkerDied
from engine.request import TokenLogprob
from tests.fakes import FakeEngine, Script
from tests.server.openai.support import ALIAS, HELLO, MODEL, Bench, says

MESSAGES = HELLO["messages"]


@pytest.fixture(scope="module")
def base_url(bench: Bench, engine: FakeEngine) -> Iterator[str]:
    with bench.live(engine, keep_alive_interval=0.05, api_key=["key"]) as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture(scope="module")
def sdk(base_url: str) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=base_url, api_key="key", max_retries=0, _strict_response_validation=True
    ) as sdk:
        yield sdk


@pytest.fixture
async def async_sdk(base_url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=base_url, api_key="key", max_retries=0, _strict_response_validation=True
    ) as sdk:
        yield sdk


def test_a_chat(sdk: OpenAI) -> None:
    reply = sdk.chat.completions.create(
        model=MODEL,
        messages=MESSAGES,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        max_completion_tokens=20,
        user="somebody",
        extra_body={"top_k": 40, "min_p": 0.05, "repetition_penalty": 1.1},
    )
    assert reply.choices[0].message.content == "Hi"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 3


def test_a_streamed_chat_through_comments(sdk: OpenAI, engine: FakeEngine) -> None:
    engine.script = says("漢字 Hi", prefill_delay=0.2)
    chunks = list(
        sdk.chat.completions.create(
            model=ALIAS, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "漢字 Hi"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 10


def test_the_stream_helper_builds_the_whole_reply(sdk: OpenAI, engine: FakeEngine) -> None:
    engine.script = says("añ", logprob=-1.0, top_logprobs=(TokenLogprob(97, -1.0),))
    with sdk.chat.completions.stream(
        model=MODEL, messages=MESSAGES, n=2, logprobs=True, top_logprobs=1
    ) as stream:
        for _ in stream:
            pass
        reply = stream.get_final_completion()
    for choice in reply.choices:
        assert choice.message.content == "añ"
        assert choice.logprobs is not None
        assert [entry.bytes for entry in choice.logprobs.content or []] == [[97], [0xC3], [0xB1]]


def test_completions_whole_and_streamed(sdk: OpenAI) -> None:
    whole = sdk.completions.create(model=MODEL, prompt=["a", "b"], n=2, logprobs=1, max_tokens=9)
    assert [choice.text for choice in whole.choices] == ["Hi"] * 4
    loose = sdk.with_options()
    loose._strict_response_validation = False  # its type has no null for "not finished yet"
    chunks = list(loose.completions.create(model=MODEL, prompt=[1, 2], stream=True))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "Hi"


def test_models(sdk: OpenAI) -> None:
    assert [model.id for model in sdk.models.list()] == [MODEL, ALIAS]
    assert sdk.models.retrieve(ALIAS).id == ALIAS
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.models.retrieve("gpt-4o")
    assert caught.value.code == "model_not_found"


async def test_the_asynchronous_client(async_sdk: AsyncOpenAI) -> None:
    reply = await async_sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert reply.choices[0].message.content == "Hi"
    stream = await async_sdk.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    text = ""
    async for chunk in stream:
        text += chunk.choices[0].delta.content or ""
    assert text == "Hi"


async def test_leaving_a_stream_early_frees_the_slot(
    async_sdk: AsyncOpenAI, engine: FakeEngine
) -> None:
    engine.script = says("H" * 2000, delay=0.01)
    stream = await async_sdk.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    async for _ in stream:
        break
    await stream.close()
    for _ in range(500):
        if not engine.active:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the slot is still taken")


def test_errors_are_the_exceptions_that_users_catch(sdk: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=3)
    assert refused.value.param == "temperature"
    with pytest.raises(openai.NotFoundError):
        sdk.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError) as too_long:
        sdk.completions.create(model=MODEL, prompt="x" * 5000)
    assert too_long.value.code == "context_length_exceeded"


def test_an_overloaded_server_is_asked_again_by_the_client(
    sdk: OpenAI, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "submit_error", QueueFull("full", retry_after=1))
    with pytest.raises(openai.InternalServerError) as caught:
        sdk.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    assert caught.value.code == "overloaded"
    assert caught.value.response.headers["retry-after"] == "1"


def test_an_error_on_the_way_is_raised_by_the_stream(sdk: OpenAI, engine: FakeEngine) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    stream = sdk.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    text = ""
    with pytest.raises(openai.APIError, match="worker ended"):
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text == "Hi"
