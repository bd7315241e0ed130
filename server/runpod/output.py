"""What a job puts out: the vLLM worker's objects of choices and counts, each with the cost."""

from collections.abc import Iterator
from typing import Any

from server.best_of import best_of
from server.events import Event, TextDelta, Usage
from server.folding import FoldedChoice
from server.generation import Reply
from server.pricing import Prices
from server.runpod.batching import Batching


class WholeOutput:
    """One object at the end, with one text for each of the choices that are shown."""

    def __init__(self, reply: Reply, prices: Prices, num_candidates: int, num_shown: int) -> None:
        self._reply, self._prices = reply, prices
        self._num_shown = num_shown
        self._choices = [FoldedChoice() for _ in range(num_candidates)]

    def take(self, event: Event) -> Iterator[dict[str, Any]]:
        self._choices[event.choice].add(event)
        return iter(())

    def rest(self) -> Iterator[dict[str, Any]]:
        shown = best_of(self._choices, len(self._choices), self._num_shown)
        yield _output([[choice.text] for choice in shown], self._reply.usage, self._prices)


class StreamedOutput:
    """An object for every few pieces of text. Its counts are those up to its end."""

    def __init__(self, reply: Reply, prices: Prices, num_choices: int, batching: Batching) -> None:
        self._reply, self._prices = reply, prices
        self._sizes = batching.sizes()
        self._size = next(self._sizes)
        self._pieces: list[list[str]] = [[] for _ in range(num_choices)]

    def take(self, event: Event) -> Iterator[dict[str, Any]]:
        if isinstance(event, TextDelta) and event.text:
            self._pieces[event.choice].append(event.text)
            if sum(map(len, self._pieces)) >= self._size:
                yield self._batch()
                self._size = next(self._sizes)

    def rest(self) -> Iterator[dict[str, Any]]:
        """The last one has the final counts, so there is one even if no text is left."""
        yield self._batch()

    def _batch(self) -> dict[str, Any]:
        pieces, self._pieces = self._pieces, [[] for _ in self._pieces]
        return _output(pieces, self._reply.usage, self._prices)


def _output(pieces: list[list[str]], usage: Usage, prices: Prices) -> dict[str, Any]:
    return {
        "choices": [{"tokens": tokens} for tokens in pieces],
        "cost": float(prices.cost(usage)),
        "usage": {"input": usage.prompt_tokens, "output": usage.completion_tokens},
    }
