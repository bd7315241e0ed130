"""Tools: what the model is shown, what it may call, and what is told of a call."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.anthropic.asking import (
    ASKED,
    NOON,
    PARIS,
    TOOLS,
    WEATHER,
    added_up,
    alike,
    events,
    message,
    prompt_of,
    refused,
)
from tests.server.openai.support import says

OPENING_TAG_ID = 282


def calls(client: TestClient, **fields: Any) -> list[tuple[str, object]]:
    content = message(client, **fields).content
    return [(block.name, block.input) for block in content if block.type == "tool_use"]


def test_calls_are_blocks_with_their_input(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says(f"Hm\n{PARIS}\n{NOON}")
    reply = message(client, tools=TOOLS)
    assert [block.type for block in reply.content] == ["text", "tool_use", "tool_use"]
    assert reply.stop_reason == "tool_use"
    made = [block for block in reply.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in made] == [
        ("weather", {"city": "Paris"}),
        ("clock", {}),
    ]
    assert all(call.id.startswith("toolu_") for call in made)
    assert len({call.id for call in made}) == 2


@pytest.mark.parametrize(
    ("written", "told"),
    [("\\ud83d", "\N{REPLACEMENT CHARACTER}"), ("\\ud83d\\ude00", "😀"), ("\\u00e9", "é")],
)
def test_half_of_a_surrogate_pair_in_a_call_does_not_break_clients(
    client: TestClient, engine: FakeEngine, written: str, told: str
) -> None:
    engine.script = says(PARIS.replace("Paris", written))
    assert calls(client, tools=TOOLS) == [("weather", {"city": told})]
    streamed = added_up(events(client, tools=TOOLS))
    assert alike(streamed) == alike(message(client, tools=TOOLS))


@pytest.mark.parametrize(
    ("choice", "num_calls", "has_grammar"),
    [
        (None, 2, False),
        ({"type": "auto"}, 2, False),
        ({"type": "auto", "disable_parallel_tool_use": True}, 1, False),
        ({"type": "any"}, 2, True),
        ({"type": "any", "disable_parallel_tool_use": True}, 1, True),
        ({"type": "tool", "name": "weather"}, 1, True),
        ({"type": "none"}, 0, False),
    ],
    ids=str,
)
def test_the_choice_decides_how_many_calls_there_are_and_if_there_must_be_one(
    client: TestClient,
    engine: FakeEngine,
    choice: dict[str, Any] | None,
    num_calls: int,
    has_grammar: bool,
) -> None:
    engine.script = says(f"{PARIS}\n{NOON}")
    assert len(calls(client, tools=TOOLS, tool_choice=choice)) == num_calls
    request = engine.requests[-1]
    assert (request.grammar is not None) is has_grammar
    is_banned = any(bias == -100 for _, bias in request.sampling.logit_bias)
    assert is_banned is (choice == {"type": "none"})


def test_strict_tools_have_a_grammar(client: TestClient, engine: FakeEngine) -> None:
    message(client, tools=[WEATHER | {"strict": True}])
    grammar = engine.requests[-1].grammar
    assert grammar is not None
    assert "city" in grammar


def test_the_model_is_shown_descriptions_schemas_and_examples(
    client: TestClient, engine: FakeEngine
) -> None:
    examples = [{"city": "Bonn"}]
    tool = WEATHER | {"input_examples": examples, "strict": True, "type": "custom"}
    message(client, tools=[tool], tool_choice={"type": "any"})
    prompt = prompt_of(engine)
    assert '"description": "Tells"' in prompt
    assert '"examples": [{"city": "Bonn"}]' in prompt


def test_a_deferred_tool_is_shown_once_a_result_refers_to_it(
    client: TestClient, engine: FakeEngine
) -> None:
    tools = [TOOLS[0] | {"defer_loading": True}, TOOLS[1] | {"defer_loading": False}]
    message(client, tools=tools)
    assert '"name": "weather"' not in prompt_of(engine)
    assert '"name": "clock"' in prompt_of(engine)
    search = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"query": "sky"}}
    found = {"type": "tool_reference", "tool_name": "weather"}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [found]}
    history = [
        *ASKED,
        {"role": "assistant", "content": [search]},
        {"role": "user", "content": [result]},
    ]
    engine.script = says(PARIS)
    assert calls(client, tools=tools, messages=history) == [("weather", {"city": "Paris"})]
    assert '"name": "weather"' in prompt_of(engine)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tools": [WEATHER, WEATHER]}, "two have the same name"),
        ({"tools": [WEATHER | {"name": "a b"}]}, "tools[0].name"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema is required"),
        ({"tools": [WEATHER | {"allowed_callers": ["code_execution_20250825"]}]}, "direct"),
        ({"tool_choice": {"type": "any"}}, "tool_choice needs tools"),
        ({"tools": TOOLS, "tool_choice": {"type": "tool", "name": "no"}}, "no 'no' among tools"),
        ({"tools": TOOLS, "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": TOOLS, "tool_choice": {"type": "sometimes"}}, "tool_choice.type"),
        ({"tools": TOOLS, "tool_choice": "auto"}, "tool_choice: must be an object"),
        (
            {
                "tools": [WEATHER | {"input_schema": {"type": "string"}}],
                "tool_choice": {"type": "any"},
            },
            "'weather' must be of type 'object'",
        ),
        (
            {
                "messages": [
                    *ASKED,
                    {
                        "role": "assistant",
                        "content": [{"type": "tool_use", "id": "1", "name": "x", "input": {}}],
                    },
                ]
            },
            "messages[1]: the calls of the last message have no tool_result",
        ),
    ],
)
def test_what_is_wrong_about_tools_is_named(
    client: TestClient, fields: dict[str, Any], named: str
) -> None:
    assert named in refused(client, 400, **fields)
