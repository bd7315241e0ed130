"""OpenAI's and OpenRouter's own clients at /api/v1 of the demo model, over a real socket."""

from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from openrouter import OpenRouter, components

from tests.conftest import DemoServer

HOSTED = "ibm-granite/granite-4.0-h-micro"
ECHO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Repeat after me: river"}]
APP = {"HTTP-Referer": "https://app.example", "X-Title": "App"}

pytestmark = pytest.mark.slow


@pytest.fixture
def client(demo_server: DemoServer) -> Iterator[OpenAI]:
    base_url = f"{demo_server.url}/api/v1"
    with OpenAI(base_url=base_url, api_key="none", max_retries=0, default_headers=APP) as client:
        yield client


@pytest.fixture
def sdk(demo_server: DemoServer) -> Iterator[OpenRouter]:
    with OpenRouter(api_key="none", server_url=f"{demo_server.url}/api/v1") as sdk:
        yield sdk


def test_openais_client_is_answered_whole_and_streamed_alike(client: OpenAI) -> None:
    asked = {"top_k": 40, "min_p": 0.05, "top_a": 0.1, "repetition_penalty": 1.0}
    whole = client.chat.completions.create(
        model=HOSTED, messages=ECHO, temperature=0, max_tokens=32, extra_body=asked
    )
    assert "river" in (whole.choices[0].message.content or "")
    assert whole.usage is not None
    assert whole.usage.model_extra is not None
    assert whole.usage.model_extra["cost"] > 0
    chunks = list(
        client.chat.completions.create(
            model=HOSTED, messages=ECHO, temperature=0, max_tokens=32, stream=True
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_a_conversation_beyond_the_context_is_answered_with_middle_out(client: OpenAI) -> None:
    filler: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": "The quick brown fox. " * 400} for _ in range(40)
    ]
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        client.chat.completions.create(model=HOSTED, messages=[*filler, *ECHO], max_tokens=16)
    reply = client.chat.completions.create(
        model=HOSTED,
        messages=[*filler, *ECHO],
        temperature=0,
        max_tokens=16,
        extra_body={"transforms": ["middle-out"]},
    )
    assert reply.usage is not None
    assert 0 < reply.usage.completion_tokens <= 16


def test_openrouters_client_finds_the_model_the_generation_and_the_account(
    sdk: OpenRouter,
) -> None:
    models = sdk.models.list()
    assert models is not None
    assert HOSTED in [model.id for model in models.result.data]
    messages: list[components.ChatMessagesTypedDict] = [
        {"role": "user", "content": "Repeat after me: river"}
    ]
    before = sdk.credits.get_credits().data.total_usage
    reply = sdk.chat.send(model=HOSTED, messages=messages, temperature=0, max_tokens=32)
    stats = sdk.generations.get_generation(id=reply.id).data
    assert reply.usage is not None
    assert stats.native_tokens_prompt == reply.usage.prompt_tokens
    assert stats.native_tokens_completion == reply.usage.completion_tokens
    assert stats.latency is not None
    assert stats.latency > 0
    spent = sdk.credits.get_credits().data.total_usage - before
    assert spent == pytest.approx(stats.total_cost)


def test_a_prompt_is_scored_and_its_suffix_is_heeded(demo_server: DemoServer) -> None:
    with OpenAI(base_url=f"{demo_server.url}/v1", api_key="none", max_retries=0) as client:
        scored = client.completions.create(
            model=HOSTED, prompt="The river runs", echo=True, max_tokens=0, logprobs=2
        )
        filled = client.completions.create(
            model=HOSTED, prompt="def add(a, b):", suffix="return c", max_tokens=4, best_of=2
        )
    logprobs = scored.choices[0].logprobs
    assert logprobs is not None
    assert "".join(logprobs.tokens or []) == scored.choices[0].text == "The river runs"
    values = logprobs.token_logprobs or []
    assert values[0] is None
    assert all(value <= 0 for value in values[1:])
    assert filled.usage is not None
    assert filled.usage.completion_tokens > 0
