"""Grammars in processes of their own say what they would say in this one."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
from llguidance import LLMatcher

from engine.grammars import processes as processes_module
from engine.grammars.follower import Follower
from engine.grammars.nursery import nursery_command
from engine.grammars.processes import GrammarProcesses
from engine.grammars.single_grammar import MAX_FORCED
from engine.grammars.vocabulary import load_vocabulary
from sampling.grammar import GrammarVocabulary, InvalidGrammar, compile_grammar
from sampling.grammar_matcher import GrammarMatcher, GrammarStuck
from tests.engine.grammars.support import (
    DEADLINE,
    END,
    LETTERS,
    NAMES,
    Start,
    begin,
    families,
    known,
    nursery,
    until,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def vocabulary(checkpoint: Path) -> GrammarVocabulary:
    return load_vocabulary(checkpoint)


def test_what_may_follow_is_the_same_as_in_ones_own_process(
    grammars: GrammarProcesses, vocabulary: GrammarVocabulary
) -> None:
    for source in (LETTERS, NAMES, LLMatcher.grammar_from_json_schema('{"type": "object"}')):
        own = GrammarMatcher(compile_grammar(source, vocabulary), vocabulary)
        matcher = begin(grammars, source)
        choose = random.Random(5)
        for _ in range(60):
            expected, ids = own.next_ids, known(grammars, matcher).next_ids
            assert type(ids) is type(expected)
            assert np.array_equal(ids, expected)
            token_id = ids if isinstance(ids, int) else int(choose.choice(np.flatnonzero(ids)))
            matcher.accept(token_id)
            if token_id == END:
                break
            own.accept(token_id)


def test_replies_of_one_grammar_go_their_own_ways_in_one_process(
    grammars: GrammarProcesses,
) -> None:
    first, second = begin(grammars, LETTERS), begin(grammars, LETTERS)
    assert len(families()) == 1
    first.accept(ord("a"))
    second.accept(ord("!") if second.forced_id else ord("b"))
    for matcher in (first, second):
        assert known(grammars, matcher).forced_id is None
    first.accept(ord("!"))
    assert known(grammars, first).forced_id == END
    assert second.forced_id is None
    begin(grammars, NAMES)
    assert len(families()) == 2
    assert grammars.processor_seconds > 0


def test_an_id_that_may_not_follow_is_refused(grammars: GrammarProcesses) -> None:
    with pytest.raises(GrammarStuck):
        begin(grammars, LETTERS).accept(ord("A"))
    forced = begin(grammars, LLMatcher.grammar_from_regex("abc"))
    with pytest.raises(GrammarStuck):
        forced.accept(ord("b"))


def test_long_text_without_a_choice_comes_in_portions(grammars: GrammarProcesses) -> None:
    length = 2 * MAX_FORCED + 10
    matcher = begin(grammars, LLMatcher.grammar_from_regex("[xy]" + "ab" * (length // 2)))
    matcher.accept(ord("x"))
    num_known = []
    text = bytearray()
    while (forced_id := known(grammars, matcher).forced_id) != END:
        assert forced_id is not None
        assert isinstance(matcher, Follower)
        num_known.append(len(matcher._forced))
        text.append(forced_id)
        matcher.accept(forced_id)
    assert text == b"ab" * (length // 2)
    assert max(num_known) == MAX_FORCED


@pytest.mark.parametrize("source", [LLMatcher.grammar_from_regex("("), "start: a\na: a"])
def test_what_is_no_grammar_is_refused(grammars: GrammarProcesses, source: str) -> None:
    for _ in range(2):
        with pytest.raises(InvalidGrammar):
            grammars.compile(source).result(DEADLINE)
    until(lambda: not families())


def test_who_waits_for_any_answer_returns_with_the_first(grammars: GrammarProcesses) -> None:
    matcher = begin(grammars, LETTERS)
    matcher.accept(ord("a"))
    started = time.monotonic()
    while not matcher.look():
        grammars.wait(DEADLINE)
    assert time.monotonic() - started < DEADLINE


def test_a_process_ends_with_the_last_that_needs_it(
    grammars: GrammarProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes_module, "MAX_KEPT", 1)
    first = begin(grammars, LETTERS)
    (process,) = families()
    begin(grammars, NAMES).close()
    first.accept(ord("a"))
    assert known(grammars, first).forced_id is None
    first.close()
    del first
    until(lambda: process not in families())
    assert len(families()) == 1  # kept for the next request


def test_a_process_serves_so_many_replies_and_no_more(
    grammars: GrammarProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes_module, "MAX_REPLIES", 2)
    seen = set()
    for _ in range(5):
        begin(grammars, LETTERS).close()
        seen |= {process.pid for process in families()}
    assert len(seen) == 3


def test_a_checkpoint_without_tokenizer_fails_the_request_and_says_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    grammars = GrammarProcesses(nursery_command(str(tmp_path), 2.0))
    with pytest.raises(InvalidGrammar):
        grammars.compile(LETTERS).result(DEADLINE)
    grammars.close()
    assert "grammars cannot be followed" in capfd.readouterr().err


def test_closing_ends_all_processes(start: Start) -> None:
    grammars = start()
    begin(grammars, LETTERS)
    descendants = [nursery(), *families()]
    grammars.close()
    until(lambda: not any(process.is_running() for process in descendants))
