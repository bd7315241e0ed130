import pytest

from engine.allocator import AllocationError, Allocator


def test_everything_lent_and_freed_is_free_again() -> None:
    allocator = Allocator("slot", 4)
    lent = allocator.allocate(3)
    assert sorted(lent) == [0, 1, 2]
    assert allocator.num_free == 1
    allocator.free(lent)
    assert allocator.num_free == 4
    allocator.check_integrity([])


def test_lending_more_than_is_free_raises_and_lends_nothing() -> None:
    allocator = Allocator("slot", 2)
    with pytest.raises(AllocationError, match="3 slots asked for, 2 are free"):
        allocator.allocate(3)
    assert allocator.num_free == 2


def test_a_double_free_raises() -> None:
    allocator = Allocator("slot", 2)
    lent = allocator.allocate(1)
    allocator.free(lent)
    with pytest.raises(AllocationError, match="not lent"):
        allocator.free(lent)


def test_freeing_a_number_that_does_not_exist_raises() -> None:
    with pytest.raises(AllocationError, match="slot 9"):
        Allocator("slot", 2).free([9])


@pytest.mark.parametrize(
    ("held", "fault"),
    [([], "lost"), ([0, 0], "two holders"), ([0, 1], "not lent")],
)
def test_the_integrity_check_names_the_fault(held: list[int], fault: str) -> None:
    allocator = Allocator("slot", 3)
    allocator.allocate(1)
    with pytest.raises(AllocationError, match=fault):
        allocator.check_integrity(held)
