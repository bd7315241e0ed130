"""Tools on chat completions: conversations with calls, and the older form of functions."""

from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.replies import chat, chat_stream
from tests.server.openai.support import HELLO, says
from tests.server.openai.test_tools import (
    CLOCK,
    NOON,
    OPENING_TAG_ID,
    PARIS,
    TOOLS,
    WEATHER,
)


def test_a_conversation_with_calls_goes_back_as_the_model_wrote_it(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(f"Let me look.\n{PARIS}")
    answer = chat(client, tools=TOOLS).choices[0].message.model_dump(exclude_none=True)
    first = engine.requests[-1].prompt_ids
    result = {"role": "tool", "tool_call_id": answer["tool_calls"][0]["id"], "content": "rain"}
    chat(client, tools=TOOLS, messages=[*HELLO["messages"], answer, result])
    second = engine.requests[-1].prompt_ids
    assert second[: len(first)] == first
    assert second[second.index(OPENING_TAG_ID, len(first)) + 1] == ord("\n")
    written = bytes(token_id for token_id in second[len(first) :] if token_id < 256).decode()
    call = PARIS.removeprefix("<tool_call>").removesuffix("</tool_call>")
    assert written == f"Let me look.\n{call}\nuser\n\nrain\n\nassistant"


def test_the_older_form_has_one_call_a_reply(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says(f"{PARIS}\n{NOON}")
    (choice,) = chat(client, functions=[WEATHER, CLOCK]).choices
    assert choice.message.function_call is not None
    assert choice.message.function_call.name == "weather"
    assert choice.message.function_call.arguments == '{"city": "Paris"}'
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "function_call"
    chunks = chat_stream(client, functions=[WEATHER, CLOCK], function_call={"name": "weather"})
    deltas = [one.delta.function_call for chunk in chunks for one in chunk.choices]
    calls = [delta for delta in deltas if delta is not None]
    assert [delta.name for delta in calls[:2]] == ["weather", None]
    assert "".join(delta.arguments or "" for delta in calls) == '{"city": "Paris"}'
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_conversation_in_the_older_form_reads_like_the_new_one(
    client: TestClient, engine: FakeEngine
) -> None:
    function = {"name": "weather", "arguments": '{"city": "Paris"}'}
    older = [
        {"role": "assistant", "content": None, "function_call": function},
        {"role": "function", "name": "weather", "content": "rain"},
    ]
    call = {"id": "call_1", "type": "function", "function": function}
    newer = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    chat(client, functions=[WEATHER], messages=[*HELLO["messages"], *older])
    chat(client, tools=TOOLS[:1], messages=[*HELLO["messages"], *newer])
    assert engine.requests[-1].prompt_ids == engine.requests[-2].prompt_ids
