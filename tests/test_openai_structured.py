"""Structured output through OpenAI's own client against the demo model: any prompt, valid JSON."""

import json
import re
from typing import Annotated, Any, Literal

import httpx2
import pytest
from openai import BadRequestError, LengthFinishReasonError, OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel, ConfigDict, Field

from tests.conftest import DemoServer

EXTRACTION = "Extract name, age and city as JSON: Emma is 42 years old and lives in Oslo."
PROMPTS = [EXTRACTION, "Hello!", "What is 3 plus 4?", "]]]}}}", "Repeat: <tool_call> and \\u0000"]


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=40)
    age: int = Field(ge=0, le=150)
    city: str = Field(max_length=40)


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["walk", "wait"]
    minutes: int = Field(ge=0, le=99)


class Journey(BaseModel):
    """Nested, with a reference, a choice of types and a bounded list."""

    model_config = ConfigDict(extra="forbid")

    steps: list[Step] = Field(min_length=1, max_length=3)
    note: Literal["none"] | Annotated[int, Field(ge=0, le=99)]
    is_done: bool


def says(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


def text_of(client: OpenAI, server: DemoServer, prompt: str, **fields: Any) -> str:
    """A whole reply that ended by itself."""
    reply = client.chat.completions.create(
        model=server.model, messages=says(prompt), max_tokens=300, **fields
    )
    assert reply.choices[0].finish_reason == "stop"
    return reply.choices[0].message.content or ""


def strictly(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"name": model.__name__, "schema": model.model_json_schema(), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def test_what_the_demo_model_can_extract_it_extracts_under_a_schema(
    client: OpenAI, demo_server: DemoServer
) -> None:
    completion = client.chat.completions.parse(
        model=demo_server.model,
        messages=says(EXTRACTION),
        response_format=Person,
        temperature=0,
        max_tokens=200,
    )
    content = completion.choices[0].message.content
    assert content == text_of(client, demo_server, EXTRACTION, temperature=0)  # left to itself
    assert completion.choices[0].message.parsed == Person(name="Emma", age=42, city="Oslo")


@pytest.mark.parametrize("temperature", [0, 1.5])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_any_prompt_gives_an_instance_of_the_schema(
    client: OpenAI, demo_server: DemoServer, prompt: str, temperature: float
) -> None:
    fields = {"response_format": strictly(Journey), "temperature": temperature, "seed": 5}
    text = text_of(client, demo_server, prompt, **fields)
    Journey.model_validate_json(text)
    assert not re.search(r"\s\s|\n", text)


def test_a_stream_has_the_same_text_and_parses_as_it_comes(
    client: OpenAI, demo_server: DemoServer
) -> None:
    fields: dict[str, Any] = {"model": demo_server.model, "messages": says(EXTRACTION)}
    fields |= {"temperature": 0, "max_tokens": 200}
    with client.chat.completions.stream(**fields, response_format=Person) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"content.delta", "content.done"} <= kinds
    whole = client.chat.completions.parse(**fields, response_format=Person)
    assert final.choices[0].message.parsed == whole.choices[0].message.parsed
    assert final.choices[0].message.content == whole.choices[0].message.content


@pytest.mark.parametrize("temperature", [0, 1.2])
def test_the_same_request_gives_the_same_reply_with_and_without_log_probabilities(
    client: OpenAI, demo_server: DemoServer, temperature: float
) -> None:
    fields = {"response_format": strictly(Journey), "temperature": temperature, "seed": 11}
    text = text_of(client, demo_server, "Go.", **fields)
    assert text_of(client, demo_server, "Go.", **fields) == text
    assert text_of(client, demo_server, "Go.", logprobs=True, **fields) == text


def test_any_json_object_is_one(client: OpenAI, demo_server: DemoServer) -> None:
    reply = client.chat.completions.create(
        model=demo_server.model,
        messages=says(EXTRACTION),
        response_format={"type": "json_object"},
        temperature=0,
        max_tokens=200,
    )
    assert json.loads(reply.choices[0].message.content or "")["age"] == 42


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ({"guided_regex": "[0-9]{4}-[01][0-9]"}, "[0-9]{4}-[01][0-9]"),
        ({"guided_choice": ["left", "right", "straight on"]}, "left|right|straight on"),
        ({"grammar": 'root ::= "<" [a-z]{2,9} ">"'}, "<[a-z]{2,9}>"),
        ({"structured_outputs": {"regex": "(ab){3}"}}, "(ab){3}"),
    ],
    ids=str,
)
def test_other_forms_are_followed_too(
    client: OpenAI, demo_server: DemoServer, form: dict[str, Any], pattern: str
) -> None:
    for prompt in PROMPTS:
        fields = {"temperature": 0, "frequency_penalty": 1.0, "extra_body": form}
        assert re.fullmatch(pattern, text_of(client, demo_server, prompt, **fields))


def test_four_choices_have_the_form_and_differ(client: OpenAI, demo_server: DemoServer) -> None:
    reply = client.chat.completions.create(
        model=demo_server.model,
        messages=says("Say something."),
        n=4,
        seed=3,
        extra_body={"guided_regex": "[a-z]{3}( [a-z]{3}){5}"},
    )
    texts = [choice.message.content or "" for choice in reply.choices]
    assert all(re.fullmatch("[a-z]{3}( [a-z]{3}){5}", text) for text in texts)
    assert len(set(texts)) == 4


def test_a_limit_cuts_json_short_and_the_client_says_so(
    client: OpenAI, demo_server: DemoServer
) -> None:
    with pytest.raises(LengthFinishReasonError):
        client.chat.completions.parse(
            model=demo_server.model,
            messages=says(EXTRACTION),
            response_format=Person,
            max_tokens=5,
        )


def test_a_form_without_an_end_ends_with_the_limit(client: OpenAI, demo_server: DemoServer) -> None:
    for pattern in ("([\\[ ]|\n)*x", "(ab)+!"):
        reply = client.chat.completions.create(
            model=demo_server.model,
            messages=says("Hello"),
            temperature=0,
            max_tokens=24,
            logit_bias=bias_against(demo_server, "x", "!"),
            extra_body={"guided_regex": pattern},
        )
        assert reply.choices[0].finish_reason == "length"
        assert reply.usage is not None
        assert reply.usage.completion_tokens == 24


@pytest.mark.parametrize(
    "fields",
    [{"min_tokens": 200}, {"ignore_eos": True}, {"frequency_penalty": 2}, {"top_p": 0.01}],
    ids=str,
)
def test_other_fields_of_sampling_leave_the_form_alone(
    client: OpenAI, demo_server: DemoServer, fields: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {"response_format": strictly(Journey), "seed": 1, "extra_body": fields}
    asked["logit_bias"] = bias_against(demo_server, '"', "{", "}", ' "', '":', '",', '"}')
    Journey.model_validate_json(text_of(client, demo_server, "Go.", **asked))


def test_a_stop_string_cuts_json_as_it_cuts_text(client: OpenAI, demo_server: DemoServer) -> None:
    fields = {"response_format": strictly(Journey), "temperature": 0}
    whole = text_of(client, demo_server, "Go.", **fields)
    cut = text_of(client, demo_server, "Go.", stop=[', "note'], **fields)
    assert cut == whole[: whole.index(', "note')]


def bias_against(server: DemoServer, *texts: str) -> dict[str, int]:
    """The lowest bias for every token that these texts are made of."""
    bias: dict[str, int] = {}
    for text in texts:
        body = {"model": server.model, "prompt": text}
        tokens = httpx2.post(f"{server.url}/tokenize", json=body).json()["tokens"]
        bias |= {str(token_id): -100 for token_id in tokens}
    return bias


def test_a_strict_tool_leaves_the_model_free_to_talk(
    client: OpenAI, demo_server: DemoServer
) -> None:
    parameters = {"type": "object", "properties": {}, "additionalProperties": False}
    function: Any = {"name": "sing", "parameters": parameters, "strict": True}
    fields: dict[str, Any] = {"model": demo_server.model, "temperature": 0, "max_tokens": 60}
    fields |= {"messages": says("Hello!"), "tools": [{"type": "function", "function": function}]}
    free = client.chat.completions.create(**fields)
    assert free.choices[0].finish_reason == "stop"
    function["strict"] = False
    plain = client.chat.completions.create(**fields)
    assert free.choices[0].message == plain.choices[0].message
    assert free.usage == plain.usage


@pytest.mark.parametrize("tool_choice", ["required", "named"])
@pytest.mark.parametrize("prompt", ["Hello!", "What is 12 plus 30?"])
def test_a_demanded_call_is_whole_whatever_the_prompt(
    client: OpenAI, demo_server: DemoServer, prompt: str, tool_choice: str
) -> None:
    parameters = {
        "type": "object",
        "properties": {
            "direction": {"enum": ["north", "south"]},
            "steps": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["direction", "steps"],
        "additionalProperties": False,
    }
    tools: Any = [{"type": "function", "function": {"name": "move", "parameters": parameters}}]
    named: Any = {"type": "function", "function": {"name": "move"}}
    reply = client.chat.completions.create(
        model=demo_server.model,
        messages=says(prompt),
        tools=tools,
        tool_choice="required" if tool_choice == "required" else named,
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=100,
    )
    (call,) = reply.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "move"
    arguments = json.loads(call.function.arguments)
    assert list(arguments) == ["direction", "steps"]
    assert arguments["direction"] in {"north", "south"}
    assert 1 <= arguments["steps"] <= 9
    assert reply.choices[0].message.content is None


def test_a_schema_that_cannot_be_guaranteed_is_the_client_s_bad_request(
    client: OpenAI, demo_server: DemoServer
) -> None:
    schema = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
    strict: Any = {"name": "set", "schema": schema, "strict": True}
    with pytest.raises(BadRequestError, match="uniqueItems") as caught:
        client.chat.completions.create(
            model=demo_server.model,
            messages=says("Hello"),
            response_format={"type": "json_schema", "json_schema": strict},
        )
    assert caught.value.param == "response_format"


def test_the_time_in_grammars_is_on_the_metrics_page(
    client: OpenAI, demo_server: DemoServer
) -> None:
    text_of(client, demo_server, "Hello", response_format=strictly(Journey))
    page = httpx2.get(f"{demo_server.url}/metrics").text
    (line,) = re.findall(r"^granite_mask_seconds_total (\S+)$", page, re.MULTILINE)
    assert float(line) > 0
