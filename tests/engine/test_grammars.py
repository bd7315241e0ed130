"""Grammars are compiled beside the loop, and whatever becomes of that reaches the request."""

import threading
from collections.abc import Iterator

import pytest
from llguidance import LLMatcher

from engine.errors import GrammarFailed
from engine.grammar_queue import Compiled, GrammarQueue
from engine.grammars import Grammar, GrammarCompiler
from model_loader.errors import InvalidTokenizer
from sampling.grammar import GrammarVocabulary
from tests.byte_vocabulary import FIRST_BYTE, byte_vocabulary
from tests.engine.fakes import make_request

REQUEST = make_request()
GOOD = LLMatcher.grammar_from_regex("ab|cd")


def nested(depth: int) -> str:
    """A chain of rules; the compiler recurses once for each."""
    rules = "\n".join(f"r{number}: r{number + 1}" for number in range(depth))
    return LLMatcher.grammar_from_lark(f'start: r0\n{rules}\nr{depth}: "a"')


class SlowVocabulary:
    """Is not loaded before `let_go` is set."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.num_loads = 0

    def __call__(self) -> GrammarVocabulary:
        self.num_loads += 1
        assert self.let_go.wait(10)
        return byte_vocabulary()


@pytest.fixture
def slow() -> Iterator[SlowVocabulary]:
    vocabulary = SlowVocabulary()
    yield vocabulary
    vocabulary.let_go.set()


def take_one(queue: GrammarQueue) -> Compiled:
    queue.wait(10)
    (ready,) = queue.take_ready()
    return ready


def test_a_request_is_held_back_until_its_grammar_is_compiled(slow: SlowVocabulary) -> None:
    queue = GrammarQueue(GrammarCompiler(slow))
    queue.add(7, REQUEST, GOOD, now=3.5)
    queue.wait(0.01)
    assert list(queue.take_ready()) == []
    slow.let_go.set()
    ready = take_one(queue)
    assert (ready.generation, ready.request, ready.submitted_at) == (7, REQUEST, 3.5)
    assert isinstance(ready.grammar, Grammar)
    assert len(queue) == 0


def test_the_vocabulary_is_loaded_for_the_first_grammar_and_once(slow: SlowVocabulary) -> None:
    slow.let_go.set()
    queue = GrammarQueue(GrammarCompiler(slow))
    assert slow.num_loads == 0
    for generation in range(3):
        queue.add(generation, REQUEST, GOOD, now=0.0)
        take_one(queue)
    assert slow.num_loads == 1


def test_a_cancelled_request_is_never_ready(slow: SlowVocabulary) -> None:
    queue = GrammarQueue(GrammarCompiler(slow))
    queue.add(1, REQUEST, GOOD, now=0.0)
    queue.add(2, REQUEST, GOOD, now=0.0)
    assert queue.cancel(1)
    assert not queue.cancel(1)
    slow.let_go.set()
    assert take_one(queue).generation == 2


@pytest.mark.parametrize(
    "source",
    [LLMatcher.grammar_from_regex("("), "start: missing", "start: a\na: a"],
)
def test_a_grammar_that_does_not_compile_fails_its_request(source: str) -> None:
    queue = GrammarQueue(GrammarCompiler(byte_vocabulary))
    queue.add(1, REQUEST, source, now=0.0)
    assert isinstance(take_one(queue).grammar, GrammarFailed)


def test_without_a_vocabulary_the_request_fails_and_the_reason_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def load() -> GrammarVocabulary:
        raise InvalidTokenizer("tokenizer.json: gone")

    queue = GrammarQueue(GrammarCompiler(load))
    queue.add(1, REQUEST, GOOD, now=0.0)
    assert isinstance(take_one(queue).grammar, GrammarFailed)
    assert "could not be compiled" in caplog.text


def test_deep_nesting_finds_the_stack_it_needs() -> None:
    """A thread of the usual size, 8 MiB, is overrun by 3,200 rules, which ends the process."""
    grammar = GrammarCompiler(byte_vocabulary).compile(nested(5000)).result()
    assert grammar.new_matcher().forced_id == FIRST_BYTE + ord("a")


def test_replies_of_one_grammar_are_counted_on_one_clock() -> None:
    compiler = GrammarCompiler(byte_vocabulary)
    grammar = compiler.compile(GOOD).result()
    assert compiler.clock.seconds == 0
    first, second = grammar.new_matcher(), grammar.new_matcher()
    first.accept(FIRST_BYTE + ord("a"))
    halfway = compiler.clock.seconds
    second.accept(FIRST_BYTE + ord("c"))
    assert 0 < halfway < compiler.clock.seconds
