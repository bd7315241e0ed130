"""A fixed set of numbered things (state slots, K/V pages) lent out and taken back. Plain Python."""

from collections.abc import Iterable

from kernels.errors import GraniteError


class AllocationError(GraniteError):
    """A bug in the engine: a slot or page was freed without being lent, lost, or shared."""


class Allocator:
    """Numbers 0 to `total - 1`. The order of lending is deterministic: last freed, first lent."""

    def __init__(self, name: str, total: int) -> None:
        self.name = name
        self.total = total
        self._free = list(range(total - 1, -1, -1))
        self._lent: set[int] = set()

    @property
    def num_free(self) -> int:
        return len(self._free)

    def allocate(self, count: int) -> list[int]:
        """Lend `count` numbers.

        Raises:
            AllocationError: fewer are free; callers ask `num_free` first.
        """
        if count > len(self._free):
            raise AllocationError(f"{count} {self.name}s asked for, {len(self._free)} are free")
        lent = [self._free.pop() for _ in range(count)]
        self._lent.update(lent)
        return lent

    def free(self, numbers: Iterable[int]) -> None:
        """Take numbers back.

        Raises:
            AllocationError: one of them is not lent; those before it are free.
        """
        for number in numbers:
            if number not in self._lent:
                raise AllocationError(f"{self.name} {number} was freed but is not lent")
            self._lent.remove(number)
            self._free.append(number)

    def check_integrity(self, held: Iterable[int]) -> None:
        """Compare with what the holders say they hold.

        Raises:
            AllocationError: one is held twice, held without being lent, or lent and held by nobody.
        """
        numbers = list(held)
        if len(set(numbers)) != len(numbers):
            raise AllocationError(f"a {self.name} has two holders: {sorted(numbers)}")
        if set(numbers) != self._lent:
            lost, foreign = self._lent - set(numbers), set(numbers) - self._lent
            raise AllocationError(f"{self.name}s lost: {sorted(lost)}, not lent: {sorted(foreign)}")
        if sorted([*self._free, *numbers]) != list(range(self.total)):
            raise AllocationError(f"{self.name}s free and held are not all {self.total}")
