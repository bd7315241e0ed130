"""Prompts and replies that do not fit the context: refused with both numbers, never cut."""

import pytest
from starlette.testclient import TestClient

from tests.server.openai.replies import CHAT, chat
from tests.server.openai.support import HELLO, Bench


def test_a_prompt_that_fills_the_context_is_refused_with_both_numbers(client: TestClient) -> None:
    overhead = client.post("/tokenize", json=HELLO).json()["count"] - len("Hello")
    for extra in (0, 1, 4096 * 9):
        messages = [{"role": "user", "content": "x" * (4096 - overhead + extra)}]
        response = client.post(CHAT, json={**HELLO, "messages": messages})
        assert response.status_code == 400
        error = response.json()["error"]
        assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
        assert "4096 tokens" in error["message"]
        assert f"{4096 + extra} tokens" in error["message"]
    messages = [{"role": "user", "content": "x" * (4095 - overhead)}]
    assert chat(client, messages=messages).choices[0].finish_reason == "length"


def test_more_tokens_than_the_context_has_left_are_refused(client: TestClient) -> None:
    response = client.post(CHAT, json={**HELLO, "max_tokens": 4096})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "context_length_exceeded")
    assert "4096 in the completion" in error["message"]


def test_text_that_cannot_fit_is_refused_before_it_is_encoded(
    client: TestClient, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(_: str) -> list[int]:
        raise AssertionError("this text should not have been encoded")

    monkeypatch.setattr(bench.tokenizer, "encode", encode)
    messages = [{"role": "user", "content": "x" * 1_000_000}]
    response = client.post(CHAT, json={**HELLO, "messages": messages})
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert "1000000 characters" in response.json()["error"]["message"]
