"""Requests that wait for their grammar. The scheduler hears of them when it is compiled."""

import logging
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import NamedTuple

from engine.errors import GrammarFailed
from engine.grammars.interface import Grammar, Grammars
from engine.request import GenerationRequest
from sampling.grammar import InvalidGrammar
from sampling.grammar_matcher import GrammarStuck

logger = logging.getLogger(__name__)


class Compiled(NamedTuple):
    """A request that need not wait any longer."""

    generation: int
    request: GenerationRequest
    submitted_at: float
    grammar: Grammar | GrammarFailed


class GrammarQueue:
    def __init__(self, grammars: Grammars) -> None:
        self._grammars = grammars
        self._waiting: dict[int, tuple[GenerationRequest, float, Future[Grammar]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, generation: int, request: GenerationRequest, source: str, now: float) -> None:
        """Begin to compile `source`, the grammar of `request`."""
        self._waiting[generation] = (request, now, self._grammars.compile(source))

    def cancel(self, generation: int) -> bool:
        """False if it does not wait here."""
        return self._waiting.pop(generation, None) is not None

    def wait(self, seconds: float) -> None:
        """Return as soon as one is ready, at the latest after `seconds`."""
        wait([future for _, _, future in self._waiting.values()], seconds, FIRST_COMPLETED)

    def take_ready(self) -> Iterator[Compiled]:
        """Those whose grammar is there, or has failed, in the order they came."""
        for generation, (request, submitted_at, future) in list(self._waiting.items()):
            if future.done():
                del self._waiting[generation]
                yield Compiled(generation, request, submitted_at, _outcome(future))


def _outcome(future: Future[Grammar]) -> Grammar | GrammarFailed:
    failure = future.exception()
    if failure is None:
        return future.result()
    if not isinstance(failure, InvalidGrammar | GrammarStuck):
        logger.error("a grammar could not be compiled", exc_info=failure)
    return GrammarFailed("the grammar of this request could not be compiled")
