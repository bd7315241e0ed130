"""The block-aligned state space against the recurrence it stands for, as plain fp64 loops."""

import pytest
import torch
from torch import Tensor

from kernels.state_space import BlockState, StateInputs, advance_state

HEADS, CHANNELS, STATE = 4, 8, 6


def random_inputs(rows: int, groups: int) -> StateInputs:
    return StateInputs(
        torch.randn(rows, HEADS, CHANNELS),
        torch.randn(rows, groups, STATE),
        torch.randn(rows, groups, STATE),
        torch.rand(rows, HEADS) + 0.01,
    )


def empty_state(block_length: int, groups: int, fill: float = 0.0) -> BlockState:
    return BlockState(
        torch.zeros(HEADS, STATE, CHANNELS),
        torch.full((block_length, HEADS, CHANNELS), fill),
        torch.full((block_length, groups, STATE), fill),
        torch.full((block_length, HEADS), fill),
    )


def recurrence(inputs: StateInputs, a: Tensor) -> tuple[Tensor, Tensor]:
    """S_t = exp(dt A) S_{t-1} + dt x B^T; y_t = S_t C_t, one row and one head at a time."""
    rows, heads = inputs.dt.shape
    groups = inputs.b.shape[1]
    state = torch.zeros(heads, CHANNELS, STATE, dtype=torch.float64)
    y = torch.zeros(rows, heads, CHANNELS, dtype=torch.float64)
    for row in range(rows):
        for head in range(heads):
            group = head * groups // heads
            dt = inputs.dt[row, head].double()
            outer = torch.outer(inputs.x[row, head].double(), inputs.b[row, group].double())
            state[head] = torch.exp(dt * a[head].double()) * state[head] + dt * outer
            y[row, head] = state[head] @ inputs.c[row, group].double()
    return y, state


def in_chunks(
    inputs: StateInputs, state: BlockState, a: Tensor, chunks: list[int], block_length: int
) -> Tensor:
    pieces, done = [], 0
    for count in chunks:
        rows = inputs.of(slice(done, done + count))
        pieces.append(advance_state(rows, state, a, done % block_length))
        done += count
    return torch.cat(pieces)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 24, 37])
def test_blocks_equal_the_recurrence(groups: int, rows: int) -> None:
    torch.manual_seed(rows * groups)
    inputs, a = random_inputs(rows, groups), -torch.rand(HEADS) - 0.1
    state = empty_state(8, groups)
    y = advance_state(inputs, state, a, 0)
    expected, expected_state = recurrence(inputs, a)
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-5)
    if rows % 8 == 0:
        torch.testing.assert_close(
            state.boundary.transpose(1, 2).double(), expected_state, rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("chunks", [[37], [1] * 37, [8, 8, 8, 8, 5], [3, 5, 1, 20, 8], [7, 2, 28]])
def test_any_chunking_gives_the_same_bits(chunks: list[int]) -> None:
    torch.manual_seed(3)
    inputs, a = random_inputs(37, 1), -torch.rand(HEADS) - 0.1
    whole_state, chunked_state = empty_state(8, 1), empty_state(8, 1)
    whole = advance_state(inputs, whole_state, a, 0)
    chunked = in_chunks(inputs, chunked_state, a, chunks, 8)
    assert torch.equal(whole, chunked)
    assert torch.equal(whole_state.boundary, chunked_state.boundary)


def test_rows_of_an_older_block_left_in_the_ring_weigh_nothing() -> None:
    torch.manual_seed(4)
    inputs, a = random_inputs(5, 1), -torch.rand(HEADS) - 0.1
    clean = advance_state(inputs, empty_state(8, 1), a, 0)
    dirty = advance_state(inputs, empty_state(8, 1, fill=7.0), a, 0)
    assert torch.equal(clean, dirty)


def test_the_boundary_state_changes_only_when_a_block_is_full() -> None:
    torch.manual_seed(5)
    inputs, a = random_inputs(8, 1), -torch.rand(HEADS) - 0.1
    state = empty_state(8, 1)
    advance_state(inputs.of(slice(0, 7)), state, a, 0)
    assert not state.boundary.any()
    advance_state(inputs.of(slice(7, 8)), state, a, 7)
    assert state.boundary.any()


def test_strong_decay_over_a_long_block_stays_finite() -> None:
    inputs, a = random_inputs(64, 1), torch.full((HEADS,), -50.0)
    y = advance_state(inputs, empty_state(64, 1), a, 0)
    assert torch.isfinite(y).all()
