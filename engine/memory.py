"""The slots and K/V pages of the running sequences, and whether one more sequence fits."""

from collections.abc import Collection, Iterable

from engine.allocator import AllocationError, Allocator
from engine.sequence import Phase, Sequence


class SequenceMemory:
    """Every running sequence holds one slot, and pages covering its computed rows."""

    def __init__(self, num_slots: int, num_pages: int, page_length: int) -> None:
        self.slots = Allocator("state slot", num_slots)
        self.pages = Allocator("K/V page", num_pages)
        self.page_length = page_length

    def pages_for(self, rows: int) -> int:
        return -(-rows // self.page_length)

    def fits(self, sequence: Sequence, running: Collection[Sequence]) -> bool:
        """Whether a waiting sequence can run without soon taking pages away from the running ones.

        Room is kept for their known tokens and one more page each; pages are not reserved beyond
        that, since most replies end before their limit. Alone, every sequence fits.
        """
        if not running or self.slots.num_free == 0:
            return self.slots.num_free > 0
        promised = sum(max(0, self._pages_soon(other) - len(other.pages)) for other in running)
        return promised + self.pages_for(len(sequence.tokens)) <= self.pages.num_free

    def _pages_soon(self, sequence: Sequence) -> int:
        soon = self.pages_for(len(sequence.tokens)) + 1
        return min(soon, self.pages_for(sequence.max_length))

    def missing_pages(self, sequence: Sequence, rows: int) -> int:
        return max(0, self.pages_for(rows) - len(sequence.pages))

    def start(self, sequence: Sequence) -> None:
        """Give a waiting sequence a slot; its content is stale until the plan's reset."""
        (sequence.slot,) = self.slots.allocate(1)
        sequence.phase = Phase.RUNNING
        sequence.num_computed = 0

    def grow(self, sequence: Sequence, rows: int) -> None:
        """Lend the pages for the first `rows` rows. Raises AllocationError if they are not free."""
        sequence.pages += self.pages.allocate(self.missing_pages(sequence, rows))

    def release(self, sequence: Sequence, phase: Phase) -> None:
        """Take everything back from a running sequence, which goes on to `phase`.

        Raises:
            AllocationError: the sequence is not running.
        """
        if sequence.phase is not Phase.RUNNING:
            raise AllocationError(f"a sequence that is {sequence.phase.name} holds nothing to free")
        self.slots.free([sequence.slot])
        self.pages.free(sequence.pages)
        sequence.slot = -1
        sequence.pages = []
        sequence.num_computed = 0
        sequence.phase = phase

    def check_integrity(self, running: Iterable[Sequence]) -> None:
        """Raises AllocationError unless exactly the running sequences hold exactly what is lent."""
        holders = list(running)
        self.slots.check_integrity(sequence.slot for sequence in holders)
        self.pages.check_integrity(page for sequence in holders for page in sequence.pages)
        for sequence in holders:
            if self.missing_pages(sequence, sequence.num_computed):
                raise AllocationError(f"slot {sequence.slot} has computed rows without pages")
