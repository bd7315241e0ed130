"""Requests wait for their grammar, and whatever becomes of that reaches them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from llguidance import LLMatcher

from engine.errors import GrammarFailed
from engine.grammars import queue as queue_module
from engine.grammars.queue import Compiled, GrammarQueue
from model_loader.errors import InvalidTokenizer
from sampling.grammar import GrammarVocabulary
from tests.byte_vocabulary import byte_vocabulary
from tests.engine.fakes import make_request
from tests.engine.local_grammars import LocalGrammar, LocalGrammars

REQUEST = make_request()
GOOD = LLMatcher.grammar_from_regex("ab|cd")


class SlowVocabulary:
    """Is not loaded before `let_go` is set."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self) -> GrammarVocabulary:
        assert self.let_go.wait(20)
        return byte_vocabulary()


@pytest.fixture
def slow() -> Iterator[SlowVocabulary]:
    vocabulary = SlowVocabulary()
    yield vocabulary
    vocabulary.let_go.set()


def queue_of(slow: SlowVocabulary) -> GrammarQueue:
    return GrammarQueue(LocalGrammars(slow, executor=ThreadPoolExecutor(1)))


def take_one(queue: GrammarQueue) -> Compiled:
    queue.wait(20)
    (ready,) = queue.take_ready()
    return ready


def test_a_request_is_held_back_until_its_grammar_is_compiled(slow: SlowVocabulary) -> None:
    queue = queue_of(slow)
    queue.add(7, REQUEST, GOOD, now=3.5)
    queue.wait(0.01)
    assert list(queue.take_ready()) == []
    slow.let_go.set()
    ready = take_one(queue)
    assert (ready.generation, ready.request, ready.submitted_at) == (7, REQUEST, 3.5)
    assert isinstance(ready.grammar, LocalGrammar)
    assert len(queue) == 0


def test_a_cancelled_request_is_never_ready(slow: SlowVocabulary) -> None:
    queue = queue_of(slow)
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
    queue = GrammarQueue(LocalGrammars())
    queue.add(1, REQUEST, source, now=0.0)
    assert isinstance(take_one(queue).grammar, GrammarFailed)


def test_whatever_else_goes_wrong_fails_the_request_too_and_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module.logger, "disabled", False)  # import-linter disables others'

    def load() -> GrammarVocabulary:
        raise InvalidTokenizer("tokenizer.json: gone")

    queue = GrammarQueue(LocalGrammars(load))
    queue.add(1, REQUEST, GOOD, now=0.0)
    assert isinstance(take_one(queue).grammar, GrammarFailed)
    assert "could not be compiled" in caplog.text
