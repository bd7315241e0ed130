"""Log-probabilities of chat replies: finite, and those of the text beside them."""

import math

import pytest
from starlette.testclient import TestClient

from engine.request import TokenLogprob
from tests.fakes import FakeEngine
from tests.server.openai.replies import CHAT, chat, chat_stream
from tests.server.openai.support import HELLO, says


def test_logprobs_name_the_tokens_of_the_text(client: TestClient, engine: FakeEngine) -> None:
    others = (TokenLogprob(ord("H"), -0.5), TokenLogprob(0xE6, -math.inf))
    engine.script = says("é.", logprob=-0.25, top_logprobs=others)
    logprobs = chat(client, logprobs=True, top_logprobs=2).choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert [entry.bytes for entry in logprobs.content] == [[0xC3], [0xA9], [0x2E]]
    assert [entry.token for entry in logprobs.content] == ["\N{REPLACEMENT CHARACTER}"] * 2 + ["."]
    assert {entry.logprob for entry in logprobs.content} == {-0.25}
    top = logprobs.content[0].top_logprobs
    assert [(entry.token, entry.logprob) for entry in top] == [
        ("H", -0.5),
        ("\N{REPLACEMENT CHARACTER}", -9999.0),
    ]


@pytest.mark.parametrize("logprob", [-math.inf, math.inf, math.nan, -1e30])
def test_logprobs_are_finite_whatever_the_engine_says(
    client: TestClient, engine: FakeEngine, logprob: float
) -> None:
    engine.script = says("x", logprob=logprob, top_logprobs=(TokenLogprob(1, logprob),))
    logprobs = chat(client, logprobs=True, top_logprobs=1).choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    entry = logprobs.content[0]
    assert entry.logprob == entry.top_logprobs[0].logprob == -9999.0


def test_streamed_logprobs_are_those_of_the_text_beside_them(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("añb STOP", logprob=-1.0)
    whole = chat(client, logprobs=True, stop="STOP").choices[0]
    streamed = []
    for chunk in chat_stream(client, logprobs=True, stop="STOP"):
        for choice in chunk.choices:
            if choice.logprobs is not None:
                entries = choice.logprobs.content or []
                streamed += entries
                text = b"".join(bytes(entry.bytes or []) for entry in entries).decode()
                assert text == choice.delta.content
    assert whole.logprobs is not None
    assert streamed == whole.logprobs.content
    assert whole.message.content == "añb "


def test_without_logprobs_the_key_is_null(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("x", logprob=-1.0)
    assert client.post(CHAT, json=HELLO).json()["choices"][0]["logprobs"] is None
    assert engine.requests[-1].sampling.logprobs is None
