"""All grammars of an engine, each in a process of its own, so that no step waits long for one."""

import select
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from weakref import WeakSet

from engine.grammars.follower import Follower
from engine.grammars.interface import Grammar
from engine.grammars.link import Clock, GrammarLink
from engine.grammars.messages import Compiled
from engine.nursery_process import NurseryProcess
from sampling.grammar import InvalidGrammar

PATIENCE_SECONDS = 0.005
"""How long a step waits for one grammar: fifty times as long as most take."""
MAX_KEPT = 8
"""Grammars that are kept for the next request which asks for the same."""
MAX_REPLIES = 256
"""Of one process. What it learns of its grammar makes it faster, but also larger."""
NUM_STARTS = 4
"""Grammars that are compiled at once; others wait for them, but nobody else does."""


class ProcessGrammar:
    """Implements `engine.grammars.interface.Grammar`."""

    def __init__(self, link: GrammarLink, compiled: Compiled, links: WeakSet[GrammarLink]) -> None:
        """It adds its link to `links` when there are replies."""
        self._link = link
        self._compiled = compiled
        self._links = links

    @property
    def is_fit(self) -> bool:
        """To be kept for other requests."""
        self._link.receive()
        return self._link.is_sound and self._link.num_replies < MAX_REPLIES

    def new_matcher(self) -> Follower:
        self._links.add(self._link)
        return Follower(self._link, self._compiled)


class GrammarProcesses:
    """Implements `engine.grammars.interface.Grammars`."""

    def __init__(self, command: Sequence[str]) -> None:
        """`command` starts the nursery: when the first grammar comes, for many servers see none."""
        self._nursery = NurseryProcess(command)
        self._starts = ThreadPoolExecutor(NUM_STARTS, "grammars")
        self._kept: OrderedDict[str, Future[Grammar]] = OrderedDict()
        self._links: WeakSet[GrammarLink] = WeakSet()
        self._clock = Clock()

    @property
    def processor_seconds(self) -> float:
        return self._clock.seconds

    def compile(self, source: str) -> Future[Grammar]:
        kept = self._kept.pop(source, None)
        if kept is None or not _is_fit(kept):
            kept = self._starts.submit(self._start, source)
        self._kept[source] = kept
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return kept

    def settle(self) -> None:
        while links := [link for link in self._links if link.fresh]:
            if not _receive(links, PATIENCE_SECONDS):
                for link in links:
                    link.fresh.clear()

    def wait(self, seconds: float) -> None:
        _receive([link for link in self._links if link.waiting], seconds)

    def close(self) -> None:
        """End all processes."""
        self._starts.shutdown(wait=False, cancel_futures=True)
        self._nursery.close()

    def _start(self, source: str) -> Grammar:
        try:
            link = GrammarLink(self._nursery.new_connection(), self._clock)
            return ProcessGrammar(link, link.compile(source), self._links)
        except OSError as error:
            raise InvalidGrammar(f"no process can be had: {error.strerror}") from error


def _is_fit(kept: Future[Grammar]) -> bool:
    """Also while it is being compiled."""
    if not kept.done():
        return True
    grammar = None if kept.exception() else kept.result()
    return isinstance(grammar, ProcessGrammar) and grammar.is_fit


def _receive(links: Sequence[GrammarLink], seconds: float) -> bool:
    """Take in the next answers to any of them; False if there is none for so long."""
    poll = select.poll()
    for link in links:
        poll.register(link, select.POLLIN)
    ready = {descriptor for descriptor, _ in poll.poll(1000 * seconds)}
    for link in links:
        if link.fileno() in ready:
            link.receive()
    return bool(ready)
