"""The Responses API through OpenAI's own client, against the demo model over a real socket."""

import json
import time
from typing import Any, Literal

import openai
import pytest
from openai import OpenAI
from openai.types.responses import FunctionToolParam
from pydantic import BaseModel

from tests.conftest import DemoServer

WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather for a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
QUESTION = "What is the weather in Paris?"


@pytest.fixture
def greedy(demo_server: DemoServer) -> dict[str, Any]:
    return {"model": demo_server.model, "temperature": 0, "max_output_tokens": 64}


def test_a_response_whole_and_streamed_is_the_same(client: OpenAI, greedy: dict[str, Any]) -> None:
    asked = {**greedy, "input": "Repeat after me: river"}
    whole = client.responses.create(**asked)
    assert "river" in whole.output_text
    assert whole.status == "completed"
    deltas = []
    with client.responses.stream(**asked) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
        final = stream.get_final_response()
    assert "".join(deltas) == final.output_text == whole.output_text
    assert final.usage == whole.usage
    raw = list(client.responses.create(**asked, stream=True))
    assert [event.sequence_number for event in raw] == list(range(len(raw)))
    assert (raw[0].type, raw[-1].type) == ("response.created", "response.completed")


def test_a_conversation_is_remembered_listed_and_forgotten(
    client: OpenAI, greedy: dict[str, Any]
) -> None:
    first = client.responses.create(**greedy, input="Repeat after me: river")
    second = client.responses.create(
        **greedy, input="Repeat after me: stone", previous_response_id=first.id
    )
    assert "stone" in second.output_text
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.input_tokens > first.usage.total_tokens
    assert client.responses.retrieve(second.id).output_text == second.output_text
    items = list(client.responses.input_items.list(second.id, limit=2, order="asc"))
    assert [item.type for item in items] == ["message"] * 3
    counted = client.responses.input_tokens.count(
        model=greedy["model"], input="Repeat after me: stone", previous_response_id=first.id
    )
    assert counted.input_tokens == second.usage.input_tokens
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**greedy, input="x", previous_response_id=second.id)
    assert caught.value.code == "previous_response_not_found"


def test_a_call_its_result_and_the_answer(client: OpenAI, greedy: dict[str, Any]) -> None:
    first = client.responses.create(**greedy, input=QUESTION, tools=[WEATHER])
    (call,) = first.output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    result = json.dumps({"temperature": 21, "condition": "cloudy"})
    answer = client.responses.create(
        **greedy,
        tools=[WEATHER],
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": result}],
    )
    assert "21 degrees and cloudy in Paris" in answer.output_text
    pieces = []
    with client.responses.stream(**greedy, input=QUESTION, tools=[WEATHER]) as stream:
        for event in stream:
            if event.type == "response.function_call_arguments.delta":
                pieces.append(event.delta)
        (streamed,) = stream.get_final_response().output
    assert streamed.type == "function_call"
    assert streamed.arguments == call.arguments == "".join(pieces)


class Word(BaseModel):
    word: Literal["river", "stone"]


def test_a_reply_is_parsed_into_the_type_that_was_asked_for(
    client: OpenAI, greedy: dict[str, Any]
) -> None:
    reply = client.responses.parse(**greedy, input="Repeat after me: river", text_format=Word)
    assert isinstance(reply.output_parsed, Word)
    assert reply.text is not None
    assert reply.text.format is not None
    assert reply.text.format.type == "json_schema"


def test_a_background_response_is_polled_and_its_stream_taken_up_again(
    client: OpenAI, greedy: dict[str, Any]
) -> None:
    asked = {**greedy, "input": "Repeat after me: river", "background": True}
    response = client.responses.create(**asked)
    assert response.status == "queued"
    deadline = time.monotonic() + 30
    while response.status in ("queued", "in_progress") and time.monotonic() < deadline:
        time.sleep(0.05)
        response = client.responses.retrieve(response.id)
    assert response.status == "completed"
    assert "river" in response.output_text
    with client.responses.create(**asked, stream=True) as stream:
        first = next(iter(stream))
    assert first.type == "response.created"
    rest = list(client.responses.retrieve(first.response.id, stream=True, starting_after=0))
    assert (rest[0].type, rest[-1].type) == ("response.queued", "response.completed")
    assert [event.sequence_number for event in rest] == list(range(1, len(rest) + 1))
    cancelled = client.responses.cancel(first.response.id)
    assert cancelled.status == "completed"


def test_errors_become_the_clients_own_exceptions(client: OpenAI, greedy: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**greedy, input="x", reasoning={"effort": "high"})
    assert (refused.value.param, refused.value.code) == ("reasoning", "unsupported_parameter")
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_unknown")
