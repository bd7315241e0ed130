"""What the model is shown of messages, and what becomes of its answer."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.anthropic.asking import (
    ASKED,
    COUNT,
    MESSAGES,
    PARIS,
    TOOLS,
    message,
    refused,
    shown,
    texts,
)
from tests.server.openai.support import MODEL, says


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def test_an_answer_has_all_that_the_clients_types_promise(client: TestClient) -> None:
    reply = message(client)
    assert (reply.type, reply.role, reply.model) == ("message", "assistant", MODEL)
    (block,) = reply.content
    assert (block.type, getattr(block, "text", None)) == ("text", "Hi")
    assert (reply.stop_reason, reply.stop_sequence) == ("end_turn", None)
    assert reply.id.startswith("msg_")


def test_an_empty_answer_has_no_blocks(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("")
    assert message(client).content == []


def test_the_counts_are_exact(client: TestClient, engine: FakeEngine) -> None:
    usage = message(client).usage
    assert usage.input_tokens == len(engine.requests[-1].prompt_ids)
    assert usage.output_tokens == len("Hi") + 1
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (0, 0)


def test_text_is_the_same_as_a_string_and_as_a_block(
    client: TestClient, engine: FakeEngine
) -> None:
    plain = shown(client, engine, system="Be brief.")
    assert plain == "systemBe brief.\nuserHello\nassistant"
    blocks = shown(client, engine, system=texts("Be brief."), messages=[user(*texts("Hello"))])
    assert blocks == plain


def test_consecutive_messages_of_one_role_are_one_turn(
    client: TestClient, engine: FakeEngine
) -> None:
    split = [ASKED[0], {"role": "user", "content": "there"}]
    assert shown(client, engine, messages=split) == shown(
        client, engine, messages=[user(*texts("Hello", "there"))]
    )


def test_instructions_may_come_later(client: TestClient, engine: FakeEngine) -> None:
    later = [*ASKED, {"role": "system", "content": "Now be long."}]
    assert "userHello\nsystemNow be long.\nassistant" in shown(client, engine, messages=later)


def test_a_conversation_with_calls_goes_back_as_the_model_wrote_it(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says(f"Let me look.\n{PARIS}")
    reply = message(client, tools=TOOLS)
    first = engine.requests[-1].prompt_ids
    (call,) = [block for block in reply.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
    said = json.loads(reply.model_dump_json())["content"]
    history = [*ASKED, {"role": "assistant", "content": said}, user(result, *texts("And now?"))]
    message(client, tools=TOOLS, messages=history)
    second = engine.requests[-1].prompt_ids
    assert second[: len(first)] == first
    written = bytes(token_id for token_id in second[len(first) :] if token_id < 256).decode()
    inner = PARIS.removeprefix("<tool_call>").removesuffix("</tool_call>")
    assert written == f"Let me look.\n{inner}\nuser\n\nrain\n\nuserAnd now?\nassistant"


@pytest.mark.parametrize(
    ("result", "written"),
    [
        ({"content": "rain"}, "rain"),
        ({}, ""),
        ({"content": texts("rain", "wind")}, "rain\nwind"),
        ({"content": "no such city", "is_error": True}, "Error: no such city"),
        ({"is_error": True}, "Error: "),
        (
            {
                "content": [
                    {
                        "type": "document",
                        "title": "Sky",
                        "source": {"type": "text", "media_type": "text/plain", "data": "grey"},
                    },
                    {
                        "type": "search_result",
                        "source": "sky.example",
                        "title": "Skies",
                        "content": texts("blue"),
                    },
                ]
            },
            "Sky\ngrey\nSkies\nsky.example\nblue",
        ),
    ],
)
def test_results_of_calls_are_shown_as_text(
    client: TestClient, engine: FakeEngine, result: dict[str, Any], written: str
) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bonn"}}
    answer = {"type": "tool_result", "tool_use_id": "toolu_1", **result}
    history = [*ASKED, {"role": "assistant", "content": [call]}, user(answer)]
    prompt = shown(client, engine, messages=history, tools=TOOLS)
    assert f"user\n\n{written}\n\nassistant" in prompt


def test_documents_and_search_results_are_the_templates_documents(
    client: TestClient, engine: FakeEngine
) -> None:
    document = {
        "type": "document",
        "title": "Rivers",
        "context": "for school",
        "source": {"type": "content", "content": texts("The Rhine", "is long.")},
        "citations": {"enabled": False},
    }
    found = {
        "type": "search_result",
        "source": "example.org",
        "title": "Elbe",
        "content": texts("is long too."),
    }
    prompt = shown(client, engine, messages=[user(document, found, *texts("Which?"))])
    system, _, rest = prompt.partition("\nuser")
    told = [json.loads(line) for line in system.split("\n") if line.startswith("{")]
    assert told == [
        {"title": "Rivers", "context": "for school", "text": "The Rhine\nis long."},
        {"title": "Elbe", "source": "example.org", "text": "is long too."},
    ]
    assert rest == "Which?\nassistant"
    assert shown(client, engine, messages=[user(document)]).endswith("user\nassistant")


def test_earlier_thoughts_are_accepted_and_not_shown(
    client: TestClient, engine: FakeEngine
) -> None:
    thoughts = [
        {"type": "thinking", "thinking": "hmm", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
    ]
    history = [*ASKED, {"role": "assistant", "content": [*thoughts, *texts("Hi")]}, *ASKED]
    without = [*ASKED, {"role": "assistant", "content": "Hi"}, *ASKED]
    assert shown(client, engine, messages=history) == shown(client, engine, messages=without)
    only = [*ASKED, {"role": "assistant", "content": thoughts}]
    assert shown(client, engine, messages=only) == shown(client, engine)


def test_a_last_message_of_the_assistant_is_continued(
    client: TestClient, engine: FakeEngine
) -> None:
    begun = [*ASKED, {"role": "assistant", "content": "I think"}]
    assert shown(client, engine, messages=begun).endswith("\nassistantI think")
    unbegun = [*ASKED, {"role": "assistant", "content": ""}]
    assert shown(client, engine, messages=unbegun) == shown(client, engine)
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    words = refused(client, 400, messages=begun, output_config={"format": schema})
    assert "begun already" in words


@pytest.mark.parametrize(
    ("asked", "written", "reason"),
    [
        ({"max_tokens": 2}, "xx", "max_tokens"),
        ({"max_tokens": 0}, "", "max_tokens"),
        ({"stop_sequences": ["xxx"]}, "", "stop_sequence"),
    ],
)
def test_a_reply_says_why_it_ended(
    client: TestClient, engine: FakeEngine, asked: dict[str, Any], written: str, reason: str
) -> None:
    engine.script = says("x" * 5000)
    reply = message(client, **asked)
    assert reply.stop_reason == reason
    assert reply.stop_sequence == ("xxx" if reason == "stop_sequence" else None)
    assert "".join(getattr(block, "text", "") for block in reply.content) == written


def test_more_tokens_than_the_context_has_may_be_allowed(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("x" * 5000)
    reply = message(client, max_tokens=2**31 - 1)
    assert reply.stop_reason == "model_context_window_exceeded"
    assert reply.usage.input_tokens + reply.usage.output_tokens == 4096


def test_tokens_are_counted_as_a_reply_would_count_them(client: TestClient) -> None:
    fields = {"system": texts("Be brief."), "tools": TOOLS}
    body = {"model": MODEL, "messages": ASKED, **fields}
    counted = client.post(COUNT, json=body).json()
    assert counted == {"input_tokens": message(client, **fields).usage.input_tokens}
    edited = client.post(COUNT, json=body | {"context_management": {"edits": []}}).json()
    assert edited == counted | {
        "context_management": {"original_input_tokens": counted["input_tokens"]}
    }


def test_a_prompt_that_does_not_fit_is_refused_in_the_words_that_clients_read(
    client: TestClient,
) -> None:
    long = [{"role": "user", "content": "word " * 1000}]
    words = refused(client, 400, messages=long)
    assert words == "prompt is too long: 5119 tokens > 4095 maximum"
    hopeless = [{"role": "user", "content": "word " * 100_000}]
    for route in (MESSAGES, COUNT):
        words = refused(client, 400, route, messages=hopeless)
        assert words.startswith("prompt is too long: ")
        assert words.endswith(" tokens > 4095 maximum")
