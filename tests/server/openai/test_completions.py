"""POST /v1/completions: prompts of all four shapes, and the older shape of replies."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.request import GenerationRequest, TokenLogprob
from tests.fakes import FakeEngine, Script
from tests.server.openai.replies import (
    COMPLETIONS,
    StreamedCompletion,
    completion,
    completion_stream,
)
from tests.server.openai.support import HELLO, ONCE, says


def repeat_prompt(request: GenerationRequest) -> Script:
    """Answers each prompt with itself."""
    return Script(token_ids=(*request.prompt_ids, 257))


def streamed_text(chunks: list[StreamedCompletion], index: int = 0) -> str:
    return "".join(
        choice.text for chunk in chunks for choice in chunk.choices if choice.index == index
    )


def test_a_reply_has_every_key_that_clients_rely_on(client: TestClient) -> None:
    body = client.post(COMPLETIONS, json=ONCE).json()
    assert body["object"] == "text_completion"
    assert body["id"].startswith("cmpl-")
    assert body["choices"] == [
        {"index": 0, "text": "Hi", "logprobs": None, "finish_reason": "stop"}
    ]
    assert body["usage"]["prompt_tokens"] == len("Once")
    assert body["usage"]["completion_tokens"] == len("Hi") + 1


@pytest.mark.parametrize(
    ("prompt", "ids"),
    [
        ("ab", [(97, 98)]),
        (["ab", "c"], [(97, 98), (99,)]),
        ([97, 98], [(97, 98)]),
        ([[97, 98], [264]], [(97, 98), (264,)]),
        ("<|pad|>", [tuple(b"<|pad|>")]),
    ],
)
def test_prompts_come_as_text_or_as_ids_one_or_several(
    client: TestClient, engine: FakeEngine, prompt: Any, ids: list[tuple[int, ...]]
) -> None:
    reply = completion(client, prompt=prompt)
    assert [request.prompt_ids for request in engine.requests[-len(ids) :]] == ids
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == sum(map(len, ids))
    assert len(reply.choices) == len(ids)


def test_control_tokens_in_text_are_read_only_if_asked_for(
    client: TestClient, engine: FakeEngine
) -> None:
    completion(client, prompt="<|start_of_role|>a", parse_special=True)
    assert engine.requests[-1].prompt_ids == (264, 97)


def test_choices_are_numbered_prompt_by_prompt(client: TestClient, engine: FakeEngine) -> None:
    engine.script = repeat_prompt
    asked = {"prompt": ["first", "2nd"], "n": 2}
    reply = completion(client, **asked)
    texts = ["first", "first", "2nd", "2nd"]
    assert [(choice.index, choice.text) for choice in reply.choices] == list(enumerate(texts))
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 6 + 6 + 4 + 4
    chunks = completion_stream(client, **asked)
    assert [streamed_text(chunks, index) for index in range(4)] == texts


def test_without_max_tokens_there_are_16(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("x" * 40)
    reply = completion(client)
    assert reply.choices[0].text == "x" * 16
    assert reply.choices[0].finish_reason == "length"


def test_the_default_gives_way_to_the_context_and_a_wish_does_not(client: TestClient) -> None:
    prompt = "x" * 4090
    assert completion(client, prompt=prompt).choices[0].text == "Hi"
    response = client.post(COMPLETIONS, json={**ONCE, "prompt": prompt, "max_tokens": 7})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert response.json()["error"]["param"] == "prompt"


def test_logprobs_have_four_lists_of_one_length(client: TestClient, engine: FakeEngine) -> None:
    others = (TokenLogprob(ord("x"), -2.0), TokenLogprob(0xE6, -3.0))
    engine.script = says("né.", logprob=-0.5, top_logprobs=others)
    logprobs = completion(client, logprobs=2).choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens == ["n", "bytes:\\xc3", "bytes:\\xa9", "."]
    assert logprobs.text_offset == [0, 1, 1, 2]
    assert logprobs.token_logprobs == [-0.5] * 4
    assert logprobs.top_logprobs == [{"x": -2.0, "bytes:\\xe6": -3.0}] * 4


def test_streamed_logprobs_continue_where_the_last_ended(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("né. END", logprob=-0.5)
    whole = completion(client, logprobs=0, stop=" END").choices[0].logprobs
    parts = [
        choice.logprobs
        for chunk in completion_stream(client, logprobs=0, stop=" END")
        for choice in chunk.choices
        if choice.logprobs is not None
    ]
    assert whole is not None
    assert [offset for part in parts for offset in part.text_offset or []] == whole.text_offset
    assert [token for part in parts for token in part.tokens or []] == whole.tokens
    assert whole.tokens == ["n", "bytes:\\xc3", "bytes:\\xa9", "."]


def test_a_streamed_reply_adds_up_to_the_whole_one(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("Once upon a time 漢字")
    for asked in ({}, {"max_tokens": 3}, {"stop": "time", "max_tokens": 50}, {"n": 2}):
        whole = completion(client, **asked)
        chunks = completion_stream(client, **asked)
        for choice in whole.choices:
            assert streamed_text(chunks, choice.index) == choice.text


def test_messages_are_not_a_field_of_completions(client: TestClient) -> None:
    response = client.post(COMPLETIONS, json={**ONCE, "messages": HELLO["messages"]})
    assert response.headers["x-ignored-fields"] == "messages"
