"""What makes the prompt of a chat beside messages and tools, and how to look at it."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.replies import CHAT, chat
from tests.server.openai.support import HELLO

END_OF_ROLE = 265
BEGUN = [*HELLO["messages"], {"role": "assistant", "content": "It is <|end_of_text|> b"}]

CALLED = [{"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}]


def rendered(client: TestClient, **fields: Any) -> str:
    response = client.post("/apply-template", json=HELLO | fields)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"prompt"}
    return str(response.json()["prompt"])


def test_the_prompt_can_be_looked_at(client: TestClient, engine: FakeEngine, bench: Any) -> None:
    text = rendered(client, documents=[{"text": "Fäcts"}])
    assert text.startswith("<|start_of_role|>system<|end_of_role|>You are a helpful assistant")
    assert '\n{"text": "Fäcts"}\n</documents>' in text
    assert text.endswith("Hello<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>")
    chat(client, documents=[{"text": "Fäcts"}])
    ids = engine.requests[-1].prompt_ids
    assert bench.tokenizer.decode(ids, skip_special=False) == text


def test_no_model_needs_to_be_named_to_look_at_a_prompt(client: TestClient) -> None:
    response = client.post("/apply-template", json={"messages": HELLO["messages"]})
    assert response.status_code == 200
    assert client.post("/apply-template", json={"messages": []}).status_code == 400


def test_a_prompt_is_counted_with_its_tools_and_documents(client: TestClient) -> None:
    fields = {"tools": [{"type": "function", "function": {"name": "f"}}], "documents": [{"a": "b"}]}
    counted = client.post("/tokenize", json=HELLO | fields).json()["count"]
    usage = chat(client, **fields).usage
    assert usage is not None
    assert usage.prompt_tokens == counted


def test_the_assistants_turn_need_not_be_opened(client: TestClient) -> None:
    assert rendered(client, add_generation_prompt=False).endswith("Hello<|end_of_text|>\n")


@pytest.mark.parametrize(
    "content",
    ["It is", "It is ", "", "<|end_of_text|>", [{"type": "text", "text": "It"}] * 2],
)
def test_the_last_message_can_be_continued(
    client: TestClient, engine: FakeEngine, content: Any
) -> None:
    messages = [*HELLO["messages"], {"role": "assistant", "content": content}]
    chat(client, messages=messages, continue_final_message=True)
    ids = engine.requests[-1].prompt_ids
    last_turn = len(ids) - ids[::-1].index(END_OF_ROLE)
    text = content if isinstance(content, str) else "It\nIt"
    assert bytes(ids[last_turn:]) == text.encode()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"continue_final_message": True}, "continue_final_message"),
        (
            {"messages": CALLED, "continue_final_message": True},
            "continue_final_message",
        ),
        (
            {"messages": BEGUN, "continue_final_message": True, "add_generation_prompt": True},
            "continue_final_message",
        ),
        ({"chat_template_kwargs": {"thinking": True}}, "chat_template_kwargs"),
        ({"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs"),
        ({"chat_template_kwargs": {"available_tools": [{}]}}, "chat_template_kwargs"),
        ({"chat_template_kwargs": {str(key): None for key in range(33)}}, "chat_template_kwargs"),
        ({"chat_template_kwargs": []}, "chat_template_kwargs"),
        ({"documents": [5]}, "documents[0]"),
        ({"documents": [{}] * 1025}, "documents"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_cannot_be_rendered_is_refused(
    client: TestClient, fields: dict[str, Any], param: str
) -> None:
    for route in (CHAT, "/apply-template", "/tokenize"):
        response = client.post(route, json=HELLO | fields)
        assert response.status_code == 400
        assert response.json()["error"]["param"] == param


def test_options_that_are_off_need_not_exist(client: TestClient) -> None:
    off = {"thinking": False, "enable_thinking": None}
    assert rendered(client, chat_template_kwargs=off) == rendered(client)


def test_documents_that_cannot_fit_are_refused_before_they_are_encoded(client: TestClient) -> None:
    body = HELLO | {"documents": [{"text": "x" * 500_000}]}
    response = client.post(CHAT, json=body)
    assert response.json()["error"]["code"] == "context_length_exceeded"
