"""Replies under a grammar: what is forced costs no steps, and the grammar's end is theirs."""

import pytest
from llguidance import LLMatcher

from engine.errors import GrammarFailed
from engine.grammars.interface import Grammar
from engine.outputs import Output
from engine.request import FinishReason, GenerationRequest, PrefillProgress, TokenEvent
from engine.scheduler import Scheduler
from engine.sequence import MOST_DECODE_ROWS
from tests.byte_vocabulary import FIRST_BYTE, decode
from tests.engine.fakes import (
    EOS,
    FakeRunner,
    error_of,
    make_request,
    run_step,
    run_until_idle,
    small_options,
    tokens_of,
    vocabulary,
)
from tests.engine.local_grammars import LocalGrammars, LocalMatcher

WIDE = {"step_rows": 64, "num_pages": 64, "context_length": 200}


def regex(pattern: str) -> Grammar:
    source = LLMatcher.grammar_from_regex(pattern)
    return LocalGrammars(vocabulary).compile(source).result()


def run(request: GenerationRequest, grammar: Grammar, **options: object) -> list[Output]:
    return run_counting_steps(request, grammar, **options)[0]


def run_counting_steps(
    request: GenerationRequest, grammar: Grammar, **options: object
) -> tuple[list[Output], int]:
    asked = small_options(**{**WIDE, **options})
    scheduler = Scheduler(asked, frozenset({EOS}))
    scheduler.submit(1, request, 0.0, grammar)
    outputs = run_until_idle(scheduler, FakeRunner(asked))
    return outputs, scheduler.num_steps


def last_event(outputs: list[Output]) -> TokenEvent:
    event = outputs[-1].event
    assert isinstance(event, TokenEvent)
    return event


def test_forced_tokens_share_a_step_with_the_one_before_them() -> None:
    pattern = "[xy]" + "a" * (MOST_DECODE_ROWS - 1) + "[xy]" + "b" * 5
    outputs, num_steps = run_counting_steps(make_request(max_tokens=100), regex(pattern))
    assert len(tokens_of(outputs, 1)) == 1 + (MOST_DECODE_ROWS - 1) + 1 + 5 + 1
    assert num_steps == 2


def test_forced_text_longer_than_a_step_comes_in_portions() -> None:
    outputs, num_steps = run_counting_steps(make_request(max_tokens=100), regex("[xy]" + "a" * 40))
    assert decode(tokens_of(outputs, 1))[1:] == b"a" * 40
    assert num_steps == 3


@pytest.mark.parametrize("step_rows", [1, 3, 64])
def test_with_logprobs_the_same_tokens_are_drawn_one_by_one(step_rows: int) -> None:
    grammar = regex("[a-z]{3}, name: [a-z]{2} and so on[.!]")
    quick = run(make_request(max_tokens=100), grammar, step_rows=step_rows)
    scored, num_steps = run_counting_steps(make_request(max_tokens=100, logprobs=0), grammar)
    tokens = tokens_of(scored, 1)
    assert tokens == tokens_of(quick, 1)
    assert num_steps == len(tokens)


@pytest.mark.parametrize("limits", [{"min_tokens": 50}, {"ignore_eos": True}])
def test_a_reply_ends_where_its_grammar_does(limits: dict[str, object]) -> None:
    outputs = run(make_request(max_tokens=100, **limits), regex("[ab]c"))  # type: ignore[arg-type]  # real names
    event = last_event(outputs)
    assert (event.token_id, event.finish_reason) == (EOS, FinishReason.STOP)
    assert len(tokens_of(outputs, 1)) == 3


@pytest.mark.parametrize("beginning", ["", "[xy]"])
@pytest.mark.parametrize("max_tokens", [1, 2, 7, 20])
def test_the_limit_cuts_forced_text_too(max_tokens: int, beginning: str) -> None:
    outputs = run(make_request(max_tokens=max_tokens), regex(beginning + "a" * 50))
    assert len(tokens_of(outputs, 1)) == max_tokens
    assert last_event(outputs).finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize("beginning", ["a", "[xy]a"])
def test_a_stop_token_ends_the_reply_in_the_middle_of_forced_text(beginning: str) -> None:
    stop = FIRST_BYTE + ord("c")
    request = make_request(max_tokens=50, stop_token_ids=(stop,))
    outputs = run(request, regex(f"{beginning}bcdef"))
    assert decode(tokens_of(outputs, 1))[-3:] == b"abc"
    assert last_event(outputs).finish_reason is FinishReason.STOP


def test_no_token_is_wanted_of_a_request_that_only_reads_its_prompt() -> None:
    outputs = run(make_request(max_tokens=0), regex("abc"))
    assert tokens_of(outputs, 1) == []


def test_a_run_of_forced_tokens_is_not_cut_to_fit_beside_a_prompt() -> None:
    options = small_options(**{**WIDE, "step_rows": 32})
    scheduler = Scheduler(options, frozenset({EOS}), rows_beside_decode=4)
    runner = FakeRunner(options)
    scheduler.submit(1, make_request(tuple(range(1, 190)), 1, client="a"), 0.0)
    grammar = regex("([xy]abcdefgh){9}!")
    scheduler.submit(2, make_request((1, 2), 60, client="b"), 0.0, grammar)
    for _ in range(4):
        outputs = run_step(scheduler, runner)
        assert len(tokens_of(outputs, 2)) == 9


def test_a_grammar_that_cannot_go_on_fails_its_request_only_and_frees_what_it_held() -> None:
    options = small_options(**WIDE)
    scheduler = Scheduler(options, frozenset({EOS}))
    dead_end = LLMatcher.grammar_from_lark("start: /[xy]/ a\na: b\nb: a")
    grammar = LocalGrammars(vocabulary).compile(dead_end).result()
    scheduler.submit(1, make_request(max_tokens=9), 0.0, grammar)
    scheduler.submit(2, make_request(max_tokens=5), 0.0)
    outputs = run_until_idle(scheduler, FakeRunner(options))
    assert isinstance(error_of(outputs, 1), GrammarFailed)
    assert len(tokens_of(outputs, 2)) == 5
    assert scheduler.memory.slots.num_free == options.num_slots


def test_choices_of_one_request_go_different_ways_through_one_grammar() -> None:
    grammar = regex("[a-z]{8}!")
    outputs = run(make_request(max_tokens=50, num_choices=3), grammar)
    texts = {decode(tokens_of(outputs, 1, choice)) for choice in range(3)}
    assert len(texts) == 3
    assert all(len(text) == 9 and text.endswith(b"!") for text in texts)


def progress_of(outputs: list[Output]) -> list[tuple[int, int]]:
    events = [output.event for output in outputs]
    return [(e.processed, e.total) for e in events if isinstance(e, PrefillProgress)]


def test_what_is_forced_from_the_start_is_read_with_the_prompt() -> None:
    outputs, num_steps = run_counting_steps(make_request(max_tokens=100), regex("a" * 40))
    assert decode(tokens_of(outputs, 1)) == b"a" * 40
    assert num_steps == 1
    assert progress_of(outputs) == [(3, 3)]
    assert isinstance(outputs[0].event, PrefillProgress)


def test_nothing_is_told_before_the_prompt_has_been_read() -> None:
    options = small_options(**WIDE)
    scheduler = Scheduler(options, frozenset({EOS}))
    runner = FakeRunner(options)
    scheduler.submit(1, make_request(tuple(range(1, 101)), 40), 0.0, regex("abc[xy]{20}"))
    first = run_step(scheduler, runner)
    assert (progress_of(first), tokens_of(first, 1)) == ([(64, 100)], [])
    second = run_step(scheduler, runner)
    assert progress_of(second) == [(100, 100)]
    assert decode(tokens_of(second, 1))[:3] == b"abc"
    assert len(tokens_of(second, 1)) == 4


@pytest.mark.parametrize("wanted", ["logprobs", "prompt_logprobs"])
def test_where_log_probabilities_are_wanted_only_the_prompt_is_read_first(wanted: str) -> None:
    request = make_request(max_tokens=50, **{wanted: 0})  # type: ignore[arg-type]  # real names
    scheduler = Scheduler(small_options(**WIDE), frozenset({EOS}))
    scheduler.submit(1, request, 0.0, regex("abc[xy]"))
    (chunk,) = scheduler.next(0.0).chunks
    assert chunk.stop == len(request.prompt_ids)


def test_a_reply_whose_grammar_takes_its_time_sits_steps_out_and_nobody_else_does() -> None:
    options = small_options(**WIDE)
    scheduler = Scheduler(options, frozenset({EOS}))
    runner = FakeRunner(options)
    slow = LocalGrammars(vocabulary, delay=lambda: 7)
    source = LLMatcher.grammar_from_regex("([xy]abcdef)+!")
    scheduler.submit(1, make_request(max_tokens=60), 0.0, slow.compile(source).result())
    scheduler.submit(2, make_request(max_tokens=8), 0.0)
    steps = [run_step(scheduler, runner) for _ in range(8)]
    assert [len(tokens_of(step, 2)) for step in steps] == [1] * 8
    assert 1 < sum(bool(tokens_of(step, 1)) for step in steps) < 8
    outputs = sum(steps, []) + run_until_idle(scheduler, runner)
    alone = run(make_request(max_tokens=60), regex("([xy]abcdef)+!"))
    assert tokens_of(outputs, 1) == tokens_of(alone, 1)


def test_a_matcher_is_closed_once_however_its_reply_ends() -> None:
    options = small_options(**WIDE)
    scheduler = Scheduler(options, frozenset({EOS}))
    scheduler.submit(1, make_request(max_tokens=9, num_choices=2), 0.0, regex("[ab]{3}"))
    scheduler.submit(2, make_request(max_tokens=9), 0.0, regex("[ab]{3}"))
    sequences = list(scheduler.waiting)
    run_step(scheduler, FakeRunner(options))
    scheduler.cancel(2)
    run_until_idle(scheduler, FakeRunner(options))
    matchers = [sequence.matcher for sequence in sequences]
    assert all(isinstance(m, LocalMatcher) and m.is_closed for m in matchers)
    assert len(matchers) == 3
