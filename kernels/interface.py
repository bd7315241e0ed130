"""The operations the network is made of, as one interface with two implementations.

`TorchKernels` (plain torch, any device, the slow twin) and `NativeKernels` (C++ on the CPU). Rows
of many sequences go through together; a `Span` says which rows belong to which sequence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from kernels.packing import Format, PackedWeight

Weight = Tensor | tuple[PackedWeight, ...]
"""(out_features, in_features), plain, or packed in parts of consecutive rows.

All parts but the last fill whole panels, and either all are bf16 or none is.
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive new rows of one sequence: where in the batch, in which slot, at which position.

    `pages` (int64, on the device of the state) are the sequence's K/V pages in order.
    """

    rows: slice
    slot: int
    start: int
    pages: Tensor

    @property
    def num_rows(self) -> int:
        return int(self.rows.stop - self.rows.start)


@dataclass(frozen=True, slots=True)
class StatePool:
    """One Mamba layer's recurrent state of all slots, fp32; written in place.

    Q rows a block, H heads of P channels, G groups of N state dimensions.
    """

    boundary: Tensor  # (slots, H, N, P)
    ring_x: Tensor  # (slots, Q, H, P)
    ring_b: Tensor  # (slots, Q, G, N)
    ring_dt: Tensor  # (slots, Q, H)
    windows: Tensor  # (slots, kernel - 1, H * P + 2 * G * N): newest inputs of the convolution

    @property
    def block_length(self) -> int:
        return self.ring_dt.shape[1]


class Kernels(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_native(self) -> bool:
        """Activations and state are fp32 on the CPU, and bf16 weights are packed."""
        ...

    def pack(self, weight: Tensor, format: Format) -> PackedWeight:
        """(out_features, in_features), in_features a multiple of 64."""
        ...

    def linear(self, rows: Tensor, weight: Weight) -> Tensor:
        """(num_rows, in_features) -> (num_rows, out_features)."""
        ...

    def rms_norm(self, rows: Tensor, weight: Tensor, eps: float) -> Tensor: ...

    def gated_rms_norm(
        self, rows: Tensor, gate: Tensor, weight: Tensor, eps: float, groups: int
    ) -> Tensor: ...

    def silu_and_multiply(self, rows: Tensor) -> Tensor: ...

    def time_step(self, rows: Tensor, bias: Tensor, low: float, high: float) -> Tensor:
        """Softplus of `rows + bias`, clamped; fp32."""
        ...

    def convolve_silu(
        self, rows: Tensor, pool: StatePool, spans: Sequence[Span], weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Convolve each span behind the window of its slot, and advance that window.

        `rows` is (num_rows, channels), `weight` (kernel, channels).
        """
        ...

    def advance_state(
        self,
        convolved: Tensor,
        dt: Tensor,
        pool: StatePool,
        spans: Sequence[Span],
        a: Tensor,
        d: Tensor,
    ) -> Tensor:
        """The state space of every span, including the D term: (num_rows, H * P) fp32.

        `convolved` is (num_rows, H * P + 2 * G * N): x, B, C. `a` (negative) and `d` are (H,) fp32.
        """
        ...

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, spans: Sequence[Span], scale: float
    ) -> Tensor:
        """Causal attention of every span over its pages; the spans' own keys are in them already.

        `queries` is (num_rows, heads, head_dim), keys and values (pages, page_length, kv_heads,
        head_dim).
        """
        ...
