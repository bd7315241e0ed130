"""Compiles the grammars of requests on a thread of its own: a step never waits for one.

The API process has compiled each of them before, in a process that it could kill; so here the same
work ends soon and well.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property

from sampling.grammar import GrammarVocabulary, compile_grammar
from sampling.grammar_matcher import GrammarMatcher, MatchClock

STACK_BYTES = 64 * 2**20
"""Compiling recurses. Many times the stack of the process that tried it before."""


class Grammar:
    """The compiled grammar of one request: the beginning of each of its replies."""

    def __init__(self, beginning: GrammarMatcher, clock: MatchClock) -> None:
        self._beginning = beginning
        self._clock = clock

    def new_matcher(self) -> GrammarMatcher:
        return self._beginning.copy(self._clock)


class GrammarCompiler:
    """Compiles anew for every request, though many ask for the same: it takes milliseconds, and
    matchers of one compiled grammar share memory that one of them may use up for all.

    `clock` has the seconds that replies have spent in matching, compiling not included.
    """

    def __init__(self, load_vocabulary: Callable[[], GrammarVocabulary]) -> None:
        """`load_vocabulary` is called when the first grammar comes, for many servers see none."""
        self._load_vocabulary = load_vocabulary
        self.clock = MatchClock()

    def compile(self, source: str) -> Future[Grammar]:
        """Fails with InvalidGrammar, GrammarStuck, or what the vocabulary's loading raises."""
        return self._thread.submit(self._compile, source)

    def _compile(self, source: str) -> Grammar:
        state = compile_grammar(source, self._vocabulary)
        return Grammar(GrammarMatcher(state, self._vocabulary, MatchClock()), self.clock)

    @cached_property
    def _vocabulary(self) -> GrammarVocabulary:
        return self._load_vocabulary()

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        executor = ThreadPoolExecutor(1, "grammars")
        usual = threading.stack_size(STACK_BYTES)
        try:
            executor.submit(lambda: None).result()  # the thread exists from here on
        finally:
            threading.stack_size(usual)
        return executor
