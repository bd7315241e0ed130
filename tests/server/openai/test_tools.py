"""Tools on chat completions: what the model gets to see, and what its calls become."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from openai.types.chat import ChatCompletionChunk
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.replies import chat, chat_stream, joined
from tests.server.openai.support import says

OPENING_TAG_ID = 270  # 256 bytes, then Granite's added tokens in their order
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "Tells the weather <now>",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CLOCK: dict[str, Any] = {"name": "clock"}
TOOLS = [{"type": "function", "function": function} for function in (WEATHER, CLOCK)]
PARIS = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
NOON = '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>'


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def calls_of(chunks: list[ChatCompletionChunk]) -> list[tuple[str, str, str]]:
    """Ids, names and joined arguments of the streamed calls of choice 0, by index."""
    calls: list[list[str]] = []
    for chunk in chunks:
        for choice in chunk.choices:
            for delta in choice.delta.tool_calls or ():
                assert delta.function is not None
                assert delta.function.arguments is not None
                if delta.id is not None:
                    assert delta.index == len(calls)
                    assert delta.type == "function"
                    calls.append([delta.id, delta.function.name or "", ""])
                calls[delta.index][2] += delta.function.arguments
    return [(call_id, name, arguments) for call_id, name, arguments in calls]


def prompt_of(engine: FakeEngine) -> str:
    """The prompt of the last request; control tokens are left out."""
    ids = engine.requests[-1].prompt_ids
    return bytes(token_id for token_id in ids if token_id < 256).decode()


def test_the_model_sees_the_tools_in_the_order_of_keys_it_was_taught(
    client: TestClient, engine: FakeEngine
) -> None:
    jumbled = {"function": dict(reversed(WEATHER.items())), "type": "function"}
    chat(client, tools=[jumbled])
    assert (
        '\n{"type": "function", "function": {"name": "weather", "description": '
        '"Tells the weather <now>", "parameters": {"type": "object", "properties": '
        '{"city": {"type": "string"}}}}}\n'
    ) in prompt_of(engine)


def test_calls_are_told_beside_the_text_before_them(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says(f"Let me look.\n{PARIS}\n{NOON}")
    (choice,) = chat(client, tools=TOOLS).choices
    assert choice.message.content == "Let me look."
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls or []
    assert [call.type for call in calls] == ["function", "function"]
    functions = [call.function for call in calls if call.type == "function"]
    assert [(one.name, one.arguments) for one in functions] == [
        ("weather", '{"city": "Paris"}'),
        ("clock", "{}"),
    ]
    assert len({call.id for call in calls}) == 2


def test_a_streamed_reply_has_the_calls_of_the_whole_one(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(f"Let me look.\n{PARIS}\n{NOON}\nDone")
    (whole,) = chat(client, tools=TOOLS).choices
    chunks = chat_stream(client, tools=TOOLS)
    assert joined(chunks) == whole.message.content == "Let me look.\nDone"
    assert [call[1:] for call in calls_of(chunks)] == [
        ("weather", '{"city": "Paris"}'),
        ("clock", "{}"),
    ]
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason == "tool_calls"


_SCRAPS = [PARIS, NOON, "\n", " ", "<tool_call>", "</tool_call>", '{"name": "f', '"}', "<", "é"]


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(scraps=strategies.lists(strategies.sampled_from(_SCRAPS), max_size=6))
def test_whatever_the_model_writes_streams_add_up_to_whole_replies(
    client: TestClient, engine: FakeEngine, scraps: list[str]
) -> None:
    engine.script = says("".join(scraps))
    (whole,) = chat(client, tools=TOOLS, temperature=0).choices
    chunks = chat_stream(client, tools=TOOLS, temperature=0)
    assert joined(chunks) == (whole.message.content or "")
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason
    calls = [one.function for one in whole.message.tool_calls or () if one.type == "function"]
    streamed = [call[1:] for call in calls_of(chunks) if is_json(call[2])]
    assert streamed == [(call.name, call.arguments) for call in calls]


def is_json(text: str) -> bool:
    """False for the pieces of a call that broke, as nothing else here is cut."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_a_reply_of_nothing_but_calls_has_no_content(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(PARIS)
    (choice,) = chat(client, tools=TOOLS).choices
    assert choice.message.content is None
    assert "content" in choice.message.model_fields_set
    assert chat_stream(client, tools=TOOLS)[0].choices[0].delta.content is None


def test_a_reply_without_calls_ends_as_ever(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("No need.")
    (choice,) = chat(client, tools=TOOLS).choices
    assert choice.message.content == "No need."
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "stop"


@pytest.mark.parametrize(
    ("text", "limit", "reason"),
    [
        (PARIS.replace('"Paris"', "Paris"), None, "stop"),
        (PARIS, 55, "length"),
        (PARIS, 15, "length"),
        ("<tool_call>", None, "stop"),
    ],
)
def test_a_call_that_is_none_comes_back_as_content(
    client: TestClient, engine: FakeEngine, text: str, limit: int | None, reason: str
) -> None:
    engine.script = says(text)
    fields: dict[str, Any] = {"tools": TOOLS, "max_tokens": limit}
    (choice,) = chat(client, **fields).choices
    assert choice.message.content == text[:limit]
    assert choice.message.tool_calls is None
    assert choice.finish_reason == reason
    chunks = chat_stream(client, **fields)
    assert joined(chunks) == text[:limit]
    assert chunks[-1].choices[0].finish_reason == reason


def test_without_tools_nothing_is_taken_for_a_call(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says(PARIS)
    assert chat(client).choices[0].message.content == PARIS


def test_where_no_call_is_wanted_none_can_begin_and_the_prompt_is_the_same(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(PARIS)
    (choice,) = chat(client, tools=TOOLS, tool_choice="none", logit_bias={"5": 1}).choices
    assert choice.message.content == PARIS
    forbidding = engine.requests[-1]
    assert forbidding.sampling.logit_bias == ((5, 1.0), (OPENING_TAG_ID, -100.0))
    chat(client, tools=TOOLS, tool_choice="auto")
    assert engine.requests[-1].prompt_ids == forbidding.prompt_ids
    assert engine.requests[-1].sampling.logit_bias == ()


def test_the_reply_ends_with_its_first_call_where_only_one_is_wanted(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(f"a\n{PARIS}\n{NOON}", delay=0.001)
    reply = chat(client, tools=TOOLS, parallel_tool_calls=False)
    assert len(reply.choices[0].message.tool_calls or []) == 1
    assert reply.choices[0].finish_reason == "tool_calls"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == len(f"a\n{PARIS}") - len("\n</tool_call>")
    assert not engine.active


def test_a_named_choice_is_one_call_and_stops_as_openai_says(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(f"{PARIS}\n{NOON}")
    fields: dict[str, Any] = {"tools": TOOLS, "tool_choice": named("weather")}
    (choice,) = chat(client, **fields).choices
    assert len(choice.message.tool_calls or []) == 1
    assert choice.finish_reason == "stop"
    chunks = chat_stream(client, **fields)
    assert len(calls_of(chunks)) == 1
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_calls_that_must_be_are_guarded_by_a_grammar_and_free_ones_are_not(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(PARIS)
    allowed = {"mode": "auto", "tools": [named("clock")]}
    strict = {"type": "function", "function": WEATHER | {"strict": True}}
    for fields in (
        {"tools": TOOLS, "tool_choice": "required"},
        {"tools": TOOLS, "tool_choice": named("weather")},
        {"tools": TOOLS, "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}},
        {"tools": [strict]},
        {"functions": [WEATHER], "function_call": {"name": "weather"}},
    ):
        chat(client, **fields)
        grammar = engine.requests[-1].grammar
        assert grammar is not None
        assert f"[{OPENING_TAG_ID}]" in grammar
    for fields in ({"tools": TOOLS}, {"tools": TOOLS, "tool_choice": "none"}):
        chat(client, **fields)
        assert engine.requests[-1].grammar is None


def test_choices_have_calls_of_their_own(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says(f"{PARIS}\n{NOON}")
    reply = chat(client, tools=TOOLS, n=2)
    calls = [choice.message.tool_calls or [] for choice in reply.choices]
    assert [len(each) for each in calls] == [2, 2]
    assert len({call.id for each in calls for call in each}) == 4
    chunks = chat_stream(client, tools=TOOLS, n=2)
    indices = [
        (choice.index, delta.index)
        for chunk in chunks
        for choice in chunk.choices
        for delta in choice.delta.tool_calls or ()
        if delta.id
    ]
    assert sorted(indices) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_every_token_of_text_and_calls_has_its_log_probability(
    client: TestClient, engine: FakeEngine
) -> None:
    text = f"a\n{PARIS}"
    engine.script = says(text, logprob=-1.0)
    (choice,) = chat(client, tools=TOOLS, logprobs=True).choices
    assert choice.logprobs is not None
    whole = [entry.token for entry in choice.logprobs.content or []]
    assert "".join(whole) == text
    chunks = chat_stream(client, tools=TOOLS, logprobs=True)
    streamed = [one.logprobs for chunk in chunks for one in chunk.choices if one.logprobs]
    assert [entry.token for each in streamed for entry in each.content or []] == whole
