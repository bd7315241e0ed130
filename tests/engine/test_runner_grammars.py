"""Grammars on a real random network: any prompt gives what the grammar says, always the same."""

import json
from pathlib import Path

import pytest
from llguidance import LLMatcher

from engine.grammars.interface import Grammar
from engine.grammars.vocabulary import load_vocabulary
from engine.outputs import Output
from engine.request import GenerationRequest
from model_loader.load import LoadedModel
from tests.engine.fakes import make_request, tokens_of
from tests.engine.local_grammars import LocalGrammars
from tests.engine.machine import drawing, make, reply_of
from tests.tiny_tokenizer import write_tokenizer

PROMPTS = [tuple(range(n, n + length)) for n, length in ((1, 1), (40, 7), (90, 16), (130, 37))]
END = 257
SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["first", "second", "third"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 999},
        "is_done": {"type": "boolean"},
    },
    "required": ["kind", "count", "is_done"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def grammar(tmp_path_factory: pytest.TempPathFactory) -> Grammar:
    directory = write_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    source = LLMatcher.grammar_from_json_schema(
        json.dumps(SCHEMA), overrides={"whitespace_flexible": False}
    )
    return LocalGrammars(lambda: load_vocabulary(directory)).compile(source).result()


def text_of(outputs: list[Output], generation: int) -> str:
    ids = tokens_of(outputs, generation)
    assert ids[-1] == END
    return bytes(ids[:-1]).decode()


@pytest.mark.parametrize("temperature", [0.0, 1.0, 2.0])
def test_whatever_the_prompt_the_reply_is_an_instance_of_the_schema(
    model: LoadedModel, grammar: Grammar, temperature: float
) -> None:
    requests = {n: make_request(p, 90, temperature=temperature) for n, p in enumerate(PROMPTS)}
    outputs = make(model).run(requests, grammar)
    for generation in requests:
        value = json.loads(text_of(outputs, generation))
        assert list(value) == ["kind", "count", "is_done"]
        assert value["kind"] in {"first", "second", "third"}
        assert 0 <= value["count"] <= 999
        assert isinstance(value["is_done"], bool)


def requests_with(**sampling: object) -> dict[int, GenerationRequest]:
    return {n: drawing(p, 90, seed=n, **sampling) for n, p in enumerate(PROMPTS)}


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_constrained_replies_do_not_depend_on_the_batch_nor_on_the_cut_of_prompts(
    model: LoadedModel, grammar: Grammar, temperature: float
) -> None:
    requests = requests_with(temperature=temperature)
    together = make(model, step_rows=16).run(requests, grammar)
    for generation, request in requests.items():
        alone = make(model, step_rows=256).run({generation: request}, grammar)
        assert reply_of(together, generation) == reply_of(alone, generation)


def test_forced_tokens_computed_together_lead_to_the_same_reply_as_one_by_one(
    model: LoadedModel, grammar: Grammar
) -> None:
    one_by_one = requests_with()
    together = {n: make_request(p, 90, seed=n) for n, p in enumerate(PROMPTS)}
    slow, quick = make(model), make(model)
    expected, outputs = slow.run(one_by_one, grammar), quick.run(together, grammar)
    for generation in together:
        assert tokens_of(outputs, generation) == tokens_of(expected, generation)
    assert quick.scheduler.num_steps < slow.scheduler.num_steps / 2


def test_a_preempted_reply_goes_on_where_its_grammar_was(
    model: LoadedModel, grammar: Grammar
) -> None:
    requests = requests_with()
    tight = make(model, num_pages=9)
    outputs = tight.run(requests, grammar)
    assert tight.scheduler.num_preemptions > 0
    for generation, request in requests.items():
        alone = make(model).run({generation: request}, grammar)
        assert reply_of(outputs, generation) == reply_of(alone, generation)


def test_log_probabilities_are_the_model_s_own_and_not_those_under_the_grammar(
    model: LoadedModel, grammar: Grammar
) -> None:
    outputs = make(model).run({1: drawing(PROMPTS[1], 90)}, grammar)
    reply = reply_of(outputs, 1)
    assert len(reply) == len(tokens_of(outputs, 1))
    assert all(logprob < -0.01 for _, logprob in reply)  # forced tokens would have 0


def test_the_vocabulary_of_a_checkpoint_has_its_bytes_controls_and_end(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write_tokenizer(tmp_path))
    tokenizer = vocabulary.tokenizer
    assert vocabulary.eos_ids == (END,)
    assert tokenizer.decode_bytes([72, 105]) == b"Hi"
    assert tokenizer.tokenize_str("<tool_call>é") == [*b"<tool_call>", 0xC3, 0xA9]
    assert tokenizer.is_special_token(270)  # `<tool_call>`, though it is not left out of text
