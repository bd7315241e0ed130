"""Who starts next: first in first out within a client, the clients in turn."""

from collections import OrderedDict, deque
from collections.abc import Iterator

from engine.sequence import Sequence


class WaitingRoom:
    """Sequences without a slot. Clients without waiting sequences are forgotten."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Sequence]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def __iter__(self) -> Iterator[Sequence]:
        return (sequence for line in self._lines.values() for sequence in line)

    def append(self, sequence: Sequence) -> None:
        self._lines.setdefault(sequence.client, deque()).append(sequence)

    def put_back(self, sequence: Sequence) -> None:
        """Return a preempted sequence to its place by age."""
        line = self._lines.setdefault(sequence.client, deque())
        place = sum(1 for other in line if other.arrival < sequence.arrival)
        line.insert(place, sequence)

    def head(self) -> Sequence | None:
        """The next to start, still waiting."""
        return next(iter(self), None)

    def pop_head(self) -> Sequence:
        """Take the head out; its client goes behind the others.

        Raises:
            KeyError: nobody waits.
        """
        client, line = self._lines.popitem(last=False)
        sequence = line.popleft()
        if line:
            self._lines[client] = line
        return sequence

    def remove(self, sequence: Sequence) -> None:
        """Raises ValueError if it does not wait."""
        line = self._lines.get(sequence.client, deque())
        line.remove(sequence)
        if not line:
            del self._lines[sequence.client]
