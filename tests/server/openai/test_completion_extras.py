"""POST /v1/completions beyond plain prompts: echo, suffix, best_of and prompt_logprobs."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.request import GenerationEvent, GenerationRequest, TokenEvent, TokenLogprob
from tests.fakes import FakeEngine, FakeGeneration
from tests.server.openai.replies import COMPLETIONS, completion, completion_stream
from tests.server.openai.support import HELLO, ONCE, VOCAB_SIZE, Bench, says
from tests.server.openai.test_completions import repeat_prompt, streamed_text


def test_echo_puts_the_prompt_before_every_choice(client: TestClient, engine: FakeEngine) -> None:
    engine.script = repeat_prompt
    asked = {"prompt": ["né", "2nd"], "n": 2, "echo": True}
    reply = completion(client, **asked)
    texts = ["néné", "néné", "2nd2nd", "2nd2nd"]
    assert [choice.text for choice in reply.choices] == texts
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 3 + 3
    assert reply.usage.completion_tokens == 4 + 4 + 4 + 4
    chunks = completion_stream(client, **asked)
    assert [streamed_text(chunks, index) for index in range(4)] == texts


def test_stop_strings_are_not_looked_for_in_an_echoed_prompt(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("upon")
    assert completion(client, echo=True, stop=["Once", "ceu"]).choices[0].text == "Onceupon"


def test_echo_with_logprobs_tells_those_of_the_prompt_too(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("hé", logprob=-0.5, top_logprobs=(TokenLogprob(120, -2.0),) * 3)
    asked = {"echo": True, "logprobs": 1}
    body = client.post(COMPLETIONS, json={**ONCE, **asked}).json()
    logprobs = body["choices"][0]["logprobs"]
    assert logprobs["tokens"] == ["O", "n", "c", "e", "h", "bytes:\\xc3", "bytes:\\xa9"]
    assert logprobs["token_logprobs"] == [None, -0.1, -0.2, -0.3, -0.5, -0.5, -0.5]
    assert logprobs["text_offset"] == [0, 1, 2, 3, 4, 5, 5]
    assert logprobs["top_logprobs"][:2] == [None, {"x": -2.0}]
    streamed = client.post(COMPLETIONS, json={**ONCE, **asked, "stream": True}).text
    parts = [json.loads(line[6:]) for line in streamed.split("\n") if line.startswith("data: {")]
    offsets = [part["choices"][0]["logprobs"] or {} for part in parts]
    assert sum((part.get("text_offset", []) for part in offsets), []) == logprobs["text_offset"]
    assert engine.requests[-1].prompt_logprobs == 1


def test_max_tokens_0_with_echo_only_reads_the_prompt(
    client: TestClient, engine: FakeEngine
) -> None:
    reply = completion(client, echo=True, max_tokens=0, n=2)
    assert [(c.text, c.finish_reason) for c in reply.choices] == [("Once", "length")] * 2
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 0
    assert engine.requests[-1].sampling.max_tokens == 0
    chunks = completion_stream(client, echo=True, max_tokens=0)
    assert [chunk.choices[0].text for chunk in chunks] == ["Once", ""]


def test_a_prompt_that_is_only_read_may_fill_the_context(client: TestClient) -> None:
    asked = {"echo": True, "max_tokens": 0}
    assert completion(client, prompt="x" * 4096, **asked).choices[0].text == "x" * 4096
    response = client.post(COMPLETIONS, json={**ONCE, **asked, "prompt": "x" * 4097})
    assert response.json()["error"]["code"] == "context_length_exceeded"


def test_a_suffix_makes_the_prompt_the_beginning_of_a_gap(
    client: TestClient, engine: FakeEngine
) -> None:
    completion(client, prompt=["def f(", ""], suffix="<|pad|>)")
    with_start, without = [request.prompt_ids for request in engine.requests[-2:]]
    assert with_start == (258, *b"def f(", 260, *b"<|pad|>)", 259)
    assert without == (258, 260, *b"<|pad|>)", 259)
    completion(client, prompt=[[97, 98]], suffix="c")
    assert engine.requests[-1].prompt_ids == (258, 97, 98, 260, 99, 259)


def test_a_tokenizer_without_tokens_for_gaps_refuses_a_suffix(
    bench: Bench, engine: FakeEngine
) -> None:
    app = bench.app(engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.tokenizer, "control_tokens", {"<|fim_prefix|>": 258})
        with TestClient(app, base_url="http://localhost") as plain:
            response = plain.post(COMPLETIONS, json={**ONCE, "suffix": "x"})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "unsupported_parameter"
    assert response.json()["error"]["param"] == "suffix"


class Candidates(FakeEngine):
    """Choice i of each prompt is its number, with log-probability LOGPROBS[i]."""

    LOGPROBS = (-3.0, -1.0, -2.0)

    def submit(self, request: GenerationRequest) -> FakeGeneration:
        generation = super().submit(request)
        self._generations[-1] = generation = Numbered(self, request, says("?"))
        return generation


class Numbered(FakeGeneration):
    async def __aiter__(self) -> AsyncIterator[GenerationEvent]:
        async for event in super().__aiter__():
            if isinstance(event, TokenEvent):
                letter = ord("0") + event.choice if event.finish_reason is None else event.token_id
                logprob = Candidates.LOGPROBS[event.choice]
                event = replace(event, token_id=letter, logprob=logprob)
            yield event


def test_best_of_shows_the_likeliest_and_counts_all(bench: Bench) -> None:
    engine = Candidates(says("?"), vocab_size=VOCAB_SIZE)
    with TestClient(bench.app(engine), base_url="http://localhost") as client:
        reply = completion(client, prompt=["a", "b"], n=2, best_of=3)
        alone = completion(client, best_of=3)
        ordered = completion(client, n=3, best_of=3)
    assert [(c.index, c.text) for c in reply.choices] == list(enumerate("1212"))
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 2 * 3 * 2
    assert all(choice.logprobs is None for choice in reply.choices)
    assert [choice.text for choice in alone.choices] == ["1"]
    assert [choice.text for choice in ordered.choices] == ["0", "1", "2"]
    assert [request.sampling.logprobs for request in engine.requests] == [0, 0, 0, None]


def test_prompt_logprobs_have_the_shape_of_vllm(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("Hi", top_logprobs=(TokenLogprob(110, -0.1), TokenLogprob(0xE6, -2.0)))
    body = client.post(COMPLETIONS, json={**ONCE, "prompt": "Onc", "prompt_logprobs": 2}).json()
    assert body["choices"][0]["prompt_logprobs"] == [
        None,
        {
            "110": {"logprob": -0.1, "rank": 1, "decoded_token": "n"},
            "230": {"logprob": -2.0, "rank": 2, "decoded_token": "\N{REPLACEMENT CHARACTER}"},
        },
        {
            "99": {"logprob": -0.2, "rank": 2, "decoded_token": "c"},
            "110": {"logprob": -0.1, "rank": 1, "decoded_token": "n"},
            "230": {"logprob": -2.0, "rank": 2, "decoded_token": "\N{REPLACEMENT CHARACTER}"},
        },
    ]
    chat = client.post("/v1/chat/completions", json={**HELLO, "prompt_logprobs": 0, "n": 2}).json()
    prompt_length = len(engine.requests[-1].prompt_ids)
    assert len(chat["prompt_logprobs"]) == prompt_length
    assert all(len(entries) == 1 for entries in chat["prompt_logprobs"][1:])
    assert all("prompt_logprobs" not in choice for choice in chat["choices"])


def test_echo_and_prompt_logprobs_each_show_as_many_alternatives_as_asked(
    client: TestClient, engine: FakeEngine
) -> None:
    engine.script = says("Hi", logprob=-1.0, top_logprobs=(TokenLogprob(120, -0.1),) * 2)
    asked = {"echo": True, "logprobs": 0, "prompt_logprobs": 1}
    choice = client.post(COMPLETIONS, json={**ONCE, **asked}).json()["choices"][0]
    assert choice["logprobs"]["top_logprobs"][:4] == [None, {}, {}, {}]
    assert len(choice["prompt_logprobs"][1]) == 2


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["a", ""]}, "prompt"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"best_of": 17}, "best_of"),
        ({"best_of": 13, "prompt": ["a"] * 5}, "best_of"),
        ({"echo": True, "suffix": "x"}, "echo"),
        ({"prompt_logprobs": -1}, "prompt_logprobs"),
        ({"prompt_logprobs": 21}, "prompt_logprobs"),
        ({"prompt_logprobs": 0, "stream": True}, "prompt_logprobs"),
        ({"suffix": ["x"]}, "suffix"),
        ({"suffix": "x" * 300_000}, "suffix"),
    ],
)
def test_fields_that_cannot_be_honoured_together_are_refused(
    client: TestClient, fields: dict[str, Any], param: str
) -> None:
    response = client.post(COMPLETIONS, json={**ONCE, **fields})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
