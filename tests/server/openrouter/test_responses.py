"""POST /responses as OpenRouter has it: OpenAI's, without a memory, and with the cost."""

from typing import Any

import pytest
from openrouter import OpenRouter, components
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.support import ALIAS, MODEL, says

RESPONSES = "/api/v1/responses"


def test_openrouters_client_is_answered_with_the_cost(sdk: OpenRouter) -> None:
    response = sdk.beta.responses.send(model=MODEL, input="Hello", session_id="talk")
    assert isinstance(response, components.OpenResponsesResult)
    assert response.usage
    assert response.usage.output_tokens == 3
    stats = sdk.generations.get_generation(id=response.id).data
    assert stats.tokens_completion == 3
    assert (stats.session_id, stats.origin) == ("talk", "https://app.example")
    assert stats.total_cost == pytest.approx(response.usage.cost)


def test_openrouters_client_reads_the_events(sdk: OpenRouter) -> None:
    with sdk.beta.responses.send(model=MODEL, input="Hello", stream=True) as stream:
        types = [event.type for event in stream]
    assert (types[0], types[-1]) == ("response.created", "response.completed")


def test_sampling_goes_beyond_openais_and_is_repeated(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("Hi there")
    wishes = {"top_k": 7, "frequency_penalty": 0.5, "presence_penalty": -0.5, "stop": "th"}
    response = client.post(RESPONSES, json={"input": "Hello", **wishes}).json()
    assert response["output"][0]["content"][0]["text"] == "Hi "
    assert (response["frequency_penalty"], response["presence_penalty"]) == (0.5, -0.5)
    sampling = engine.requests[-1].sampling
    assert (sampling.top_k, sampling.frequency_penalty) == (7, 0.5)


@pytest.mark.parametrize("model", [None, ALIAS, f"{ALIAS}:nitro"])
def test_the_model_may_be_left_out_or_have_a_routing_variant(
    client: TestClient, model: str | None
) -> None:
    response = client.post(RESPONSES, json={"model": model, "input": "Hello"})
    assert response.json()["model"] == MODEL
    assert response.headers["x-generation-id"] == response.json()["id"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"previous_response_id": "resp_0"}, "previous_response_id"),
        ({"input": None}, "input"),
        ({"temperature": 3}, "temperature"),
        ({"min_p": 0.5}, "min_p"),
        ({"provider": {"require_parameters": True}, "unheard_of": 1}, "unheard_of"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_openrouters_shape(
    client: TestClient, fields: dict[str, Any], param: str
) -> None:
    response = client.post(RESPONSES, json={"model": MODEL, "input": "Hello", **fields})
    assert response.status_code == response.json()["error"]["code"] == 400
    assert response.json()["error"]["metadata"]["param"] == param


def test_middles_are_left_out_only_when_that_is_asked(client: TestClient) -> None:
    filler = [{"role": "user", "content": "x" * 500} for _ in range(10)]
    body: dict[str, Any] = {"input": [*filler, {"role": "user", "content": "Hello"}]}
    too_long = client.post(RESPONSES, json=body).json()
    assert too_long["error"]["metadata"]["error_type"] == "context_length_exceeded"
    assert client.post(RESPONSES, json=body | {"transforms": ["middle-out"]}).status_code == 200
