"""Cloudflare's published Python client: it takes the envelope apart, and has types of errors."""

from typing import Any, cast

import cloudflare
import pytest
from cloudflare import Cloudflare
from cloudflare.types.ai import ai_run_response

from engine.errors import QueueFull
from tests.fakes import FakeEngine
from tests.server.cloudflare.conftest import MODEL
from tests.server.openai.support import says


def run(sdk: Cloudflare, **fields: Any) -> dict[str, Any]:
    result = sdk.ai.run(MODEL, account_id="account", **fields)
    return cast("dict[str, Any]", result)


def test_a_prompt_is_answered_with_what_the_client_has_a_type_for(sdk: Cloudflare) -> None:
    result = run(sdk, prompt="Once", max_tokens=9)
    typed = ai_run_response.UnionMember8.model_validate(result)
    assert typed.response == "Hi"
    assert typed.usage is not None
    assert typed.usage.completion_tokens == 3


def test_a_conversation_with_tools_is_answered_with_calls(
    sdk: Cloudflare, engine: FakeEngine
) -> None:
    call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Bonn"}}\n</tool_call>'
    engine.script = says(f"Hm\n{call}")
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Which"}},
        "required": ["city"],
    }
    tool = {"name": "weather", "description": "Tells", "parameters": schema}
    messages = [{"role": "user", "content": "Rain?"}]
    typed = ai_run_response.UnionMember8.model_validate(run(sdk, messages=messages, tools=[tool]))
    assert typed.tool_calls is not None
    (made,) = typed.tool_calls
    assert (made.name, made.arguments) == ("weather", {"city": "Bonn"})


def test_errors_arrive_as_the_clients_own_types(sdk: Cloudflare, engine: FakeEngine) -> None:
    with pytest.raises(cloudflare.BadRequestError) as wrong:
        sdk.ai.run("@cf/meta/llama-3-8b-instruct", account_id="account", prompt="Once")
    assert [error.code for error in wrong.value.errors] == [5007]
    with pytest.raises(cloudflare.AuthenticationError) as stranger:
        run(sdk.with_options(api_token="x" * 40), prompt="Once")
    assert [error.code for error in stranger.value.errors] == [10000]
    engine.submit_error = QueueFull("full", 7)
    try:
        with pytest.raises(cloudflare.RateLimitError) as busy:
            run(sdk, prompt="Once")
    finally:
        engine.submit_error = None
    assert busy.value.response.headers["retry-after"] == "7"
    assert [error.code for error in busy.value.errors] == [3040]
