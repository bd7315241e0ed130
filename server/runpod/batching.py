"""How many pieces of text a streamed output holds: few at first, then more and more."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """The defaults are the vLLM worker's."""

    smallest: int = 1
    largest: int = 50
    growth: float = 3.0

    def sizes(self) -> Iterator[int]:
        """Without end."""
        size = float(min(self.smallest, self.largest) if self.growth > 1 else self.largest)
        while True:
            yield int(size)
            size = min(size * self.growth, self.largest)
