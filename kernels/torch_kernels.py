"""All operations on plain torch: any device and dtype, and the oracle of the native kernels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from kernels import activation, norm
from kernels.attention import paged_attention
from kernels.convolution import causal_conv_silu
from kernels.interface import Span, StatePool, Weight
from kernels.linear import linear
from kernels.packing import Format, PackedWeight, pack, unpack, unpack_bf16
from kernels.quantized_linear import quantized_linear
from kernels.state_space import BlockState, StateInputs, advance_state


class TorchKernels:
    name = "torch"
    is_native = False

    def pack(self, weight: Tensor, format: Format) -> PackedWeight:
        return pack(weight, format)

    def linear(self, rows: Tensor, weight: Weight) -> Tensor:
        if isinstance(weight, Tensor):
            return linear(rows, weight)
        return torch.cat([_packed_linear(rows, part) for part in weight], dim=1)

    def rms_norm(self, rows: Tensor, weight: Tensor, eps: float) -> Tensor:
        return norm.rms_norm(rows, weight, eps)

    def gated_rms_norm(
        self, rows: Tensor, gate: Tensor, weight: Tensor, eps: float, groups: int
    ) -> Tensor:
        return norm.gated_rms_norm(rows, gate, weight, eps, groups)

    def silu_and_multiply(self, rows: Tensor) -> Tensor:
        return activation.silu_and_multiply(rows)

    def time_step(self, rows: Tensor, bias: Tensor, low: float, high: float) -> Tensor:
        return activation.softplus(rows.float() + bias.float()).clamp(low, high)

    def convolve_silu(
        self, rows: Tensor, pool: StatePool, spans: Sequence[Span], weight: Tensor, bias: Tensor
    ) -> Tensor:
        return torch.cat(
            [
                causal_conv_silu(rows[span.rows], pool.windows[span.slot], weight, bias)
                for span in spans
            ]
        )

    def advance_state(
        self,
        convolved: Tensor,
        dt: Tensor,
        pool: StatePool,
        spans: Sequence[Span],
        a: Tensor,
        d: Tensor,
    ) -> Tensor:
        _, _, heads, channels = pool.ring_x.shape
        groups, state = pool.ring_b.shape[2:]
        x, b, c = torch.split(convolved, [heads * channels, groups * state, groups * state], dim=-1)
        inputs = StateInputs(
            x.reshape(-1, heads, channels),
            b.reshape(-1, groups, state),
            c.reshape(-1, groups, state),
            dt,
        )
        y = torch.cat([_advance_span(inputs, pool, span, a) for span in spans])
        return (y + d[:, None] * inputs.x.float()).flatten(1)

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, spans: Sequence[Span], scale: float
    ) -> Tensor:
        return torch.cat(
            [
                paged_attention(queries[span.rows], keys, values, span.pages, span.start, scale)
                for span in spans
            ]
        )


def _advance_span(inputs: StateInputs, pool: StatePool, span: Span, a: Tensor) -> Tensor:
    slot = span.slot
    state = BlockState(
        pool.boundary[slot], pool.ring_x[slot], pool.ring_b[slot], pool.ring_dt[slot]
    )
    return advance_state(inputs.of(span.rows), state, a, span.start % pool.block_length)


def _packed_linear(rows: Tensor, weight: PackedWeight) -> Tensor:
    if weight.format is Format.BF16:
        return linear(rows, unpack_bf16(weight).float())
    return quantized_linear(rows, unpack(weight))
