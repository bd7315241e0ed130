"""Who starts next: first in first out within a client, the clients in turn.

Requests in the background wait in lines of their own, behind all others.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator

from engine.sequence import Line, Sequence


class WaitingRoom:
    """Sequences without a slot. Lines in which nobody waits are forgotten."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Line, deque[Sequence]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def __iter__(self) -> Iterator[Sequence]:
        return (sequence for line in self._lines.values() for sequence in line)

    def append(self, sequence: Sequence) -> None:
        self._lines.setdefault(sequence.line, deque()).append(sequence)

    def put_back(self, sequence: Sequence) -> None:
        """Return a preempted sequence to its place by age."""
        line = self._lines.setdefault(sequence.line, deque())
        place = sum(1 for other in line if other.arrival < sequence.arrival)
        line.insert(place, sequence)

    def head(self) -> Sequence | None:
        """The next to start, still waiting."""
        return self._lines[self._first_line()][0] if self._lines else None

    def pop_head(self) -> Sequence:
        """Take the head out; its line goes behind the others.

        Raises:
            KeyError: nobody waits.
        """
        name = self._first_line()
        line = self._lines.pop(name)
        sequence = line.popleft()
        if line:
            self._lines[name] = line
        return sequence

    def remove(self, sequence: Sequence) -> None:
        """Raises ValueError if it does not wait."""
        line = self._lines.get(sequence.line, deque())
        line.remove(sequence)
        if not line:
            del self._lines[sequence.line]

    def _first_line(self) -> Line:
        """The line whose turn it is, of those that are not of the background if there are any."""
        if not self._lines:
            raise KeyError("nobody waits")
        return min(self._lines, key=lambda line: line[0])
