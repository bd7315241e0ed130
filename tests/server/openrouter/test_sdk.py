"""OpenRouter's published Python client: its types are the oracle of every shape."""

import pytest
from openrouter import OpenRouter, components, errors

from engine.errors import QueueFull, WorkerDied
from tests.fakes import FakeEngine, Script
from tests.server.openai.support import ALIAS, MODEL, says

HELLO: list[components.ChatMessagesTypedDict] = [{"role": "user", "content": "Hello"}]


def test_a_chat_is_answered_with_its_provider_its_reason_and_its_cost(sdk: OpenRouter) -> None:
    reply = sdk.chat.send(model=ALIAS, messages=HELLO, max_tokens=9)
    assert reply.id.startswith("gen-")
    (choice,) = reply.choices
    assert (choice.message.content, choice.finish_reason) == ("Hi", "stop")
    assert reply.usage is not None
    assert reply.usage.completion_tokens == len("Hi") + 1
    expected = (0.017 * reply.usage.prompt_tokens + 0.112 * 3) / 1e6
    assert reply.usage.cost == pytest.approx(expected)
    details = reply.usage.cost_details
    assert isinstance(details, components.CostDetails)
    whole = details.upstream_inference_prompt_cost + details.upstream_inference_completions_cost
    assert whole == pytest.approx(expected)


def test_a_stream_ends_with_the_counts_without_being_asked(sdk: OpenRouter) -> None:
    with sdk.chat.send(model=MODEL, messages=HELLO, stream=True) as chunks:
        *parts, last = list(chunks)
    assert "".join(c.delta.content or "" for part in parts for c in part.choices) == "Hi"
    assert [c.finish_reason for part in parts for c in part.choices if c.finish_reason] == ["stop"]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.cost is not None
    assert len({part.id for part in [*parts, last]}) == 1


def test_the_stats_of_a_generation_can_be_asked_for_afterwards(sdk: OpenRouter) -> None:
    reply = sdk.chat.send(model=MODEL, messages=HELLO, user="somebody", session_id="talk")
    stats = sdk.generations.get_generation(id=reply.id).data
    assert reply.usage is not None
    assert stats.native_tokens_prompt == stats.tokens_prompt == reply.usage.prompt_tokens
    assert stats.native_tokens_completion == stats.tokens_completion == 3
    assert stats.total_cost == stats.usage == pytest.approx(reply.usage.cost)
    assert stats.finish_reason == stats.native_finish_reason == "stop"
    assert (stats.streamed, stats.cancelled) == (False, False)
    assert stats.http_referer == stats.origin == "https://app.example"
    assert (stats.external_user, stats.session_id) == ("somebody", "talk")
    assert stats.latency is not None
    assert stats.generation_time is not None
    assert 0 <= stats.generation_time <= stats.latency


def test_the_models_have_prices_limits_and_parameters(sdk: OpenRouter) -> None:
    models = sdk.models.list()
    assert models is not None
    listed = models.result
    assert [model.id for model in listed.data] == [MODEL, ALIAS]
    assert listed.total_count == sdk.models.count().data.count == 2
    for model in listed.data:
        assert model.context_length == 4096
        assert (model.pricing.prompt, model.pricing.completion) == ("0.000000017", "0.000000112")
        assert {"temperature", "top_k", "min_p", "top_a", "repetition_penalty", "seed"} <= set(
            model.supported_parameters
        )
    author, slug = ALIAS.split("/")
    assert sdk.models.get(author=author, slug=slug).data == listed.data[1]
    (endpoint,) = sdk.endpoints.list(author=author, slug=slug).data.endpoints
    assert (endpoint.context_length, endpoint.quantization) == (4096, "fp32")


# The client warns of `rate_limit`, which its own type requires.
@pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")
def test_a_key_knows_what_it_has_used(sdk: OpenRouter) -> None:
    before = sdk.api_keys.get_current_key_metadata().data
    reply = sdk.chat.send(model=MODEL, messages=HELLO)
    after = sdk.api_keys.get_current_key_metadata().data
    assert reply.usage is not None
    assert after.usage - before.usage == pytest.approx(reply.usage.cost)
    assert after.usage >= after.usage_monthly >= after.usage_daily > 0
    assert (after.limit, after.limit_remaining) == (None, None)
    assert after.label.startswith("key-")
    credits = sdk.credits.get_credits().data
    assert credits.total_credits == credits.total_usage == pytest.approx(after.usage)


def test_errors_arrive_as_the_clients_own_types(sdk: OpenRouter, engine: FakeEngine) -> None:
    with pytest.raises(errors.BadRequestResponseError, match="gpt-4o is not a valid model ID"):
        sdk.chat.send(model="gpt-4o", messages=HELLO)
    with pytest.raises(errors.NotFoundResponseError, match="not found"):
        sdk.generations.get_generation(id="gen-0")
    engine.submit_error = QueueFull("full", 7)
    try:
        with pytest.raises(errors.ServiceUnavailableResponseError) as caught:
            sdk.chat.send(model=MODEL, messages=HELLO, retries=None)
    finally:
        engine.submit_error = None
    assert caught.value.headers["retry-after"] == "7"
    assert caught.value.data.error.code == 503


def test_a_failure_before_the_first_token_is_a_bad_gateway(
    sdk: OpenRouter, engine: FakeEngine
) -> None:
    engine.script = Script(token_ids=(), error=WorkerDied("killed"))
    with pytest.raises(errors.BadGatewayResponseError) as caught:
        sdk.chat.send(model=MODEL, messages=HELLO, retries=None)
    assert caught.value.data.error.metadata == {
        "error_type": "provider_unavailable",
        "provider_code": "worker_died",
    }


def test_a_failure_in_a_stream_is_a_chunk_with_an_error(
    sdk: OpenRouter, engine: FakeEngine
) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    with sdk.chat.send(model=MODEL, messages=HELLO, stream=True) as chunks:
        parts = list(chunks)
    failed = parts[-1]
    assert failed.error is not None
    assert failed.error.code == 502
    assert failed.error.metadata is not None
    assert failed.error.metadata.error_type == "provider_unavailable"
    assert [choice.finish_reason for choice in failed.choices] == ["error"]
    stats = sdk.generations.get_generation(id=failed.id).data
    assert (stats.finish_reason, stats.cancelled, stats.tokens_completion) == ("error", False, 2)


async def test_the_client_also_works_asynchronously(sdk: OpenRouter, engine: FakeEngine) -> None:
    engine.script = says("Hello there")
    stream = await sdk.chat.send_async(model=MODEL, messages=HELLO, stream=True)
    async with stream as chunks:
        texts = [c.delta.content or "" async for chunk in chunks for c in chunk.choices]
    assert "".join(texts) == "Hello there"
