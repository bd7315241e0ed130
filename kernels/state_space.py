"""The Mamba-2 state space in block-aligned form (Dao and Gu 2024): the slow twin in plain torch.

Per head, S_t = exp(dt_t A) S_{t-1} + dt_t B_t x_t^T and y_t = C_t^T S_t. The state is kept only at
block boundaries (absolute positions that are multiples of Q); a ring holds the inputs of the open
block. Row p of block b therefore is

    y_p = exp(c_p) C_p^T S_b + sum_{s <= p} exp(c_p - c_s) dt_s (B_s . C_p) x_s
    c_p = sum_{r <= p} dt_r A

over the rows s, r of its own block. Every block is computed with the same shapes, full or not, so
a row's value is bitwise the same however rows were grouped into steps.

Shapes: Q rows a block, H heads of P channels, G groups of N state dimensions shared by H / G heads
each.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class StateInputs:
    """What the state space reads for some rows."""

    x: Tensor  # (rows, H, P)
    b: Tensor  # (rows, G, N)
    c: Tensor  # (rows, G, N)
    dt: Tensor  # (rows, H) fp32, after softplus and clamping

    def of(self, rows: slice) -> "StateInputs":
        return StateInputs(self.x[rows], self.b[rows], self.c[rows], self.dt[rows])


@dataclass(frozen=True, slots=True)
class BlockState:
    """What one layer keeps of one sequence. Views into the pool: written in place."""

    boundary: Tensor  # (H, N, P) fp32
    ring_x: Tensor  # (Q, H, P)
    ring_b: Tensor  # (Q, G, N)
    ring_dt: Tensor  # (Q, H) fp32


def advance_state(inputs: StateInputs, state: BlockState, a: Tensor, offset: int) -> Tensor:
    """Take in consecutive rows of one sequence, the first `offset` rows into its open block.

    Args:
        a: (H,) fp32, negative.

    Returns:
        y without the D term, (rows, H, P) fp32. Rows are in the ring afterwards, and every block
        that became full is folded into the boundary state.
    """
    block_length = state.ring_dt.shape[0]
    num_rows = inputs.dt.shape[0]
    pieces = []
    taken = 0
    while taken < num_rows:
        count = min(block_length - offset, num_rows - taken)
        pieces.append(_advance_block(inputs.of(slice(taken, taken + count)), state, a, offset))
        taken += count
        offset = (offset + count) % block_length
    return torch.cat(pieces)


def _advance_block(inputs: StateInputs, state: BlockState, a: Tensor, offset: int) -> Tensor:
    """Rows that all belong to the open block: (count, H, P)."""
    block_length = state.ring_dt.shape[0]
    end = offset + inputs.dt.shape[0]
    state.ring_x[offset:end] = inputs.x
    state.ring_b[offset:end] = inputs.b
    state.ring_dt[offset:end] = inputs.dt

    c = torch.zeros_like(state.ring_b, dtype=torch.float32)
    c[offset:end] = inputs.c
    x, b = state.ring_x.float(), state.ring_b.float()
    dt = state.ring_dt.clone()
    dt[end:] = 0.0  # what the ring still holds of an older block weighs nothing
    decay = torch.cumsum(dt * a, dim=0)  # (Q, H)

    y = torch.exp(decay)[:, :, None] * _read_boundary(state.boundary, c)
    y += _read_block(x, b, c, dt, decay)
    if end == block_length:
        _fold_block(state.boundary, x, b, dt, decay)
    return y[offset:end]


def _read_boundary(boundary: Tensor, c: Tensor) -> Tensor:
    """C_p^T S_b of every row p: (Q, H, P)."""
    heads, groups = boundary.shape[0], c.shape[1]
    by_group = boundary.view(groups, heads // groups, *boundary.shape[1:])
    read = torch.matmul(c.transpose(0, 1)[:, None], by_group)  # (G, H / G, Q, P)
    return read.flatten(0, 1).transpose(0, 1)


def _read_block(x: Tensor, b: Tensor, c: Tensor, dt: Tensor, decay: Tensor) -> Tensor:
    """What the rows of the block see of each other: (Q, H, P)."""
    heads, groups = x.shape[1], b.shape[1]
    similarity = torch.matmul(c.transpose(0, 1), b.permute(1, 2, 0))  # (G, Q, Q), not one per head
    decay_by_head = decay.T  # (H, Q)
    span = decay_by_head[:, :, None] - decay_by_head[:, None]  # (H, Q, Q), <= 0 where causal
    causal = torch.ones(span.shape[1:], dtype=torch.bool, device=x.device).tril()
    weight = torch.exp(span.masked_fill(~causal, -torch.inf)) * dt.T[:, None]
    weight = weight.view(groups, heads // groups, *causal.shape) * similarity[:, None]
    return torch.matmul(weight.flatten(0, 1), x.transpose(0, 1)).transpose(0, 1)


def _fold_block(boundary: Tensor, x: Tensor, b: Tensor, dt: Tensor, decay: Tensor) -> None:
    """S_{b+1} = exp(c_last) S_b + sum_s exp(c_last - c_s) dt_s B_s x_s^T, in place."""
    groups = b.shape[1]
    weight = dt * torch.exp(decay[-1] - decay)  # (Q, H)
    weighted = (x * weight[:, :, None]).transpose(0, 1)  # (H, Q, P)
    by_group = weighted.reshape(groups, -1, *weighted.shape[1:])
    update = torch.matmul(b.permute(1, 2, 0)[:, None], by_group)  # (G, H / G, N, P)
    boundary.mul_(torch.exp(decay[-1])[:, None, None]).add_(update.flatten(0, 1))
