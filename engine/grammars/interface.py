"""Grammars as the scheduler, the runner and the loop see them. Knows no processes."""

from concurrent.futures import Future
from typing import Protocol

from sampling.penalties import Allowed


class Matcher(Protocol):
    """How far one reply has come in its grammar. The same ids always have the same followers.

    Finding them takes time in which nobody waits: until then it is not known what may follow.
    """

    def look(self) -> bool:
        """Whether it is known by now what may follow. Returns at once.

        Raises:
            GrammarStuck: nothing can follow, or finding out takes too much.
        """
        ...

    @property
    def forced_id(self) -> int | None:
        """The id that comes next, if it is known that there is no alternative to it."""
        ...

    @property
    def next_ids(self) -> int | Allowed:
        """The only id that may come next, or which ones may; only asked where that is known."""
        ...

    def accept(self, token_id: int) -> None:
        """Take in the next id of the reply. Raises GrammarStuck if it is not allowed here."""
        ...

    def close(self) -> None:
        """The reply has ended."""
        ...


class Grammar(Protocol):
    def new_matcher(self) -> Matcher:
        """For one more reply, at its beginning."""
        ...


class Grammars(Protocol):
    """All grammars of one engine. Used from its one thread."""

    @property
    def processor_seconds(self) -> float:
        """What grammars have taken in total, compiling not included."""
        ...

    def compile(self, source: str) -> Future[Grammar]:
        """Fails with InvalidGrammar or GrammarStuck if nothing can be made of it."""
        ...

    def settle(self) -> None:
        """Wait for what replies have asked since the last time, but for no grammar long."""
        ...

    def wait(self, seconds: float) -> None:
        """Return as soon as there is any answer, at the latest after `seconds`."""
        ...

    def close(self) -> None:
        """Nothing is asked any more."""
        ...
