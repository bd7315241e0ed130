"""Grammars without processes. Their answers come at once, or late by a number of looks."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

from engine.grammars.interface import Grammar
from sampling.grammar import GrammarVocabulary, compile_grammar
from sampling.grammar_matcher import GrammarMatcher, GrammarStuck
from sampling.penalties import Allowed
from tests.byte_vocabulary import byte_vocabulary

Delay = Callable[[], int]
P = ParamSpec("P")
T = TypeVar("T")


def no_delay() -> int:
    return 0


class LocalMatcher:
    def __init__(self, matcher: GrammarMatcher, delay: Delay) -> None:
        self._matcher = matcher
        self._delay = delay
        self._looks_in_vain = 0
        self._failure: GrammarStuck | None = None
        self.is_closed = False

    def look(self) -> bool:
        if self._looks_in_vain:
            self._looks_in_vain -= 1
            return False
        if self._failure is not None:
            raise self._failure
        return True

    @property
    def forced_id(self) -> int | None:
        forced = () if self._looks_in_vain else self._matcher.forced_ids
        return forced[0] if forced else None

    @property
    def next_ids(self) -> int | Allowed:
        assert not self._looks_in_vain, "asked before it is known"
        return self._matcher.next_ids

    def accept(self, token_id: int) -> None:
        was_last_known = len(self._matcher.forced_ids) <= 1
        try:
            self._matcher.accept(token_id)
        except GrammarStuck as error:
            self._failure = error
        if was_last_known:
            self._looks_in_vain = self._delay()

    def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True


class LocalGrammar:
    def __init__(self, beginning: GrammarMatcher, delay: Delay = no_delay) -> None:
        self._beginning = beginning
        self._delay = delay

    def new_matcher(self) -> LocalMatcher:
        return LocalMatcher(self._beginning.copy(), self._delay)


class AtOnce(Executor):
    """Work is over when it has been submitted."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class LocalGrammars:
    processor_seconds = 0.0

    def __init__(
        self,
        load_vocabulary: Callable[[], GrammarVocabulary] = byte_vocabulary,
        delay: Delay = no_delay,
        executor: Executor | None = None,
    ) -> None:
        self._load_vocabulary = load_vocabulary
        self._delay = delay
        self._executor = executor or AtOnce()
        self.is_closed = False

    def compile(self, source: str) -> Future[Grammar]:
        return self._executor.submit(self._compile, source)

    def _compile(self, source: str) -> Grammar:
        vocabulary = self._load_vocabulary()
        beginning = GrammarMatcher(compile_grammar(source, vocabulary), vocabulary)
        return LocalGrammar(beginning, self._delay)

    def settle(self) -> None: ...

    def wait(self, seconds: float) -> None: ...

    def close(self) -> None:
        self.is_closed = True
