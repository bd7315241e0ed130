"""OpenAI's own Python client, synchronous and not, against the demo model over a real socket."""

import asyncio
from collections.abc import Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from tests.conftest import DemoServer

ECHO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Repeat after me: river"}]
SUM: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is 2 + 3?"}]


@pytest.fixture
def client(demo_server: DemoServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{demo_server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(
        choice.delta.content or ""
        for chunk in chunks
        for choice in chunk.choices
        if choice.index == 0
    )


def test_a_chat_is_answered_with_counts_and_a_reason(
    client: OpenAI, demo_server: DemoServer
) -> None:
    reply = client.chat.completions.create(
        model=demo_server.model, messages=ECHO, temperature=0, max_tokens=32
    )
    (choice,) = reply.choices
    assert choice.message.role == "assistant"
    assert "river" in (choice.message.content or "")
    assert choice.finish_reason == "stop"
    assert reply.usage
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert 0 < reply.usage.completion_tokens <= 32


def test_a_streamed_chat_says_the_same_as_a_whole_one(
    client: OpenAI, demo_server: DemoServer
) -> None:
    whole = client.chat.completions.create(
        model=demo_server.model, messages=SUM, temperature=0, max_tokens=32
    )
    chunks = list(
        client.chat.completions.create(
            model=demo_server.model,
            messages=SUM,
            temperature=0,
            max_tokens=32,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert text_of(chunks) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    assert [reason for reason in reasons if reason] == [whole.choices[0].finish_reason]


async def test_many_clients_at_once_each_get_what_they_get_alone(demo_server: DemoServer) -> None:
    words = ["apple", "stone", "river", "cloud", "green", "seven"]
    async with AsyncOpenAI(
        base_url=f"{demo_server.url}/v1", api_key="none", max_retries=0
    ) as client:

        async def reply(word: str) -> str | None:
            answer = await client.chat.completions.create(
                model=demo_server.model,
                messages=[{"role": "user", "content": f"Repeat after me: {word}"}],
                seed=7,
                max_tokens=24,
            )
            return answer.choices[0].message.content

        alone = [await reply(word) for word in words]
        together = await asyncio.gather(*(reply(word) for word in words))
    assert together == alone
    assert len(set(alone)) == len(words)


async def test_an_asynchronous_stream_arrives_in_pieces(demo_server: DemoServer) -> None:
    async with AsyncOpenAI(
        base_url=f"{demo_server.url}/v1", api_key="none", max_retries=0
    ) as client:
        stream = await client.chat.completions.create(
            model=demo_server.model,
            messages=[{"role": "user", "content": "Count from 1 to 9."}],
            temperature=0,
            max_tokens=64,
            stream=True,
        )
        pieces = [
            choice.delta.content
            async for chunk in stream
            for choice in chunk.choices
            if choice.delta.content
        ]
    assert len(pieces) > 3


def test_a_plain_completion_continues_the_text(client: OpenAI, demo_server: DemoServer) -> None:
    arguments = {"model": demo_server.model, "prompt": "The code word is", "max_tokens": 8}
    whole = client.completions.create(**arguments, seed=1, n=2)  # type: ignore[call-overload]  # one set of arguments for two calls
    stream = client.completions.create(**arguments, seed=1, n=2, stream=True)  # type: ignore[call-overload]  # as above
    pieces = ["", ""]
    for chunk in stream:
        for choice in chunk.choices:
            pieces[choice.index] += choice.text
    assert pieces == [choice.text for choice in whole.choices]


def test_the_served_model_is_listed(client: OpenAI, demo_server: DemoServer) -> None:
    hosted = "ibm-granite/granite-4.0-h-micro"
    assert [model.id for model in client.models.list()] == [demo_server.model, hosted]
    assert client.models.retrieve(demo_server.model).id == demo_server.model


def test_errors_become_the_clients_own_exceptions(client: OpenAI, demo_server: DemoServer) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=SUM)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=demo_server.model, messages=SUM, temperature=3)
    assert caught.value.param == "temperature"
