"""The clients in JavaScript of OpenAI and OpenRouter against the demo model."""

import pytest

from tests.conftest import DemoServer
from tests.npm_script import needs_npm, run_script

PRICE_OF_PROMPT, PRICE_OF_REPLY = 0.017e-6, 0.112e-6


@needs_npm("openai")
def test_chats_are_the_same_whole_and_streamed(demo_server: DemoServer) -> None:
    told = run_script("chat.mjs", demo_server)
    assert "stone" in told["whole"]
    assert told["streamed"] == told["whole"]
    assert told["usage"]["completion_tokens"] > 0


@needs_npm("openai")
def test_responses_are_the_same_whole_streamed_and_taken_up_again(demo_server: DemoServer) -> None:
    told = run_script("responses.mjs", demo_server)
    assert "stone" in told["whole"]
    assert told["whole"] == told["delta"] == told["final"] == told["resumed"]
    assert told["finalUsage"] == told["usage"]
    assert told["numbers"] == list(range(len(told["types"])))
    assert (told["types"][0], told["types"][-1]) == ("response.created", "response.completed")
    assert told["resumedNumbers"] == list(range(len(told["resumedNumbers"])))


@needs_npm("openai")
def test_responses_call_tools_and_go_on(demo_server: DemoServer) -> None:
    told = run_script("responses.mjs", demo_server)
    arguments = '{"city": "Paris"}'
    assert told["called"] == {"name": "get_weather", "arguments": arguments, "pieces": arguments}
    assert "river" in told["followed"]
    assert told["items"] == ["message"] * 3


@needs_npm("openai")
def test_a_batch_says_what_the_same_chats_say(demo_server: DemoServer) -> None:
    told = run_script("batches.mjs", demo_server)
    assert told["status"] == "completed"
    assert told["counts"] == {"total": 3, "completed": 3, "failed": 0}
    assert told["answers"] == told["alone"]
    assert (told["isListed"], told["isSame"], told["deleted"]) == (True, True, True)


@needs_npm("@openrouter/sdk")
def test_openrouters_client_checks_replies_models_and_generations(demo_server: DemoServer) -> None:
    told = run_script("openrouter.mjs", demo_server)
    assert "stone" in told["whole"]
    assert told["streamed"] == told["whole"]
    usage, generation = told["usage"], told["generation"]
    assert usage == told["wholeUsage"]
    assert generation["tokensPrompt"] == usage["promptTokens"]
    assert generation["tokensCompletion"] == usage["completionTokens"]
    cost = PRICE_OF_PROMPT * usage["promptTokens"] + PRICE_OF_REPLY * usage["completionTokens"]
    assert usage["cost"] == pytest.approx(cost)
    assert generation["totalCost"] == pytest.approx(cost)
    assert told["response"] == {"text": told["whole"], "deltas": told["whole"]}
    assert told["responseUsage"]["outputTokens"] == usage["completionTokens"]
    assert told["responseUsage"]["cost"] == pytest.approx(cost)
    assert "ibm-granite/granite-4.0-h-micro" in told["models"]
    assert told["credits"]["totalUsage"] > 0
