"""All layers of the network in one native call. Knows no checkpoint and no embedding.

Its twin is the same network over the single operations of `kernels.interface`; both give the same
bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.interface import Span
from kernels.native_library import NativeKernels
from kernels.native_structures import (
    AttentionShape,
    LayerWeightsView,
    Matrix,
    NetworkShape,
    PackedPart,
    StateMemoryView,
    StateShape,
    StepSpan,
    StepView,
)
from kernels.packing import PackedWeight

MAMBA, ATTENTION = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MambaWeights:
    """`taps` is (kernel, channels), all else one-dimensional; fp32."""

    in_proj: tuple[PackedWeight, ...]
    out_proj: tuple[PackedWeight, ...]
    taps: Tensor
    conv_bias: Tensor
    dt_bias: Tensor
    a: Tensor
    d: Tensor
    norm: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionWeights:
    queries_keys_values: tuple[PackedWeight, ...]
    output: tuple[PackedWeight, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWeights:
    """Norms are (hidden,) fp32; matrices are parts side by side."""

    mixer_norm: Tensor
    mixer: MambaWeights | AttentionWeights
    mlp_norm: Tensor
    mlp_in: tuple[PackedWeight, ...]
    mlp_out: tuple[PackedWeight, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMemory:
    """State of all slots and pages in all layers, fp32, contiguous; written in place.

    Shapes are those of `StatePool` with a dimension of layers after the slots, and those of keys
    and values with one before the pages.
    """

    boundary: Tensor
    ring_x: Tensor
    ring_b: Tensor
    ring_dt: Tensor
    windows: Tensor
    keys: Tensor
    values: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerArithmetic:
    """The numbers of the layers that no shape tells."""

    heads: int
    kv_heads: int
    norm_eps: float
    residual_multiplier: float
    attention_scale: float
    time_step_limit: tuple[float, float]


class NativeLayers:
    """Keeps the weights alive that the library reads."""

    def __init__(
        self,
        kernels: NativeKernels,
        arithmetic: LayerArithmetic,
        layers: Sequence[LayerWeights],
    ) -> None:
        self._kernels = kernels
        self._arithmetic = arithmetic
        self._layers = tuple(layers)
        self._views = (LayerWeightsView * len(self._layers))(*map(_view_layer, self._layers))

    def advance(
        self,
        rows: Tensor,
        spans: Sequence[Span],
        page_rows: Tensor,
        fresh_pages: Tensor,
        wanted: Tensor,
        memory: StateMemory,
    ) -> Tensor:
        """Take the rows through all layers, and the state of their sequences with them.

        Args:
            rows: (num_rows, hidden) fp32; overwritten.
            page_rows: (num_rows,) int64, where keys and values go in flattened pages.
            fresh_pages: int64, pages to clear before they are written.
            wanted: (num_wanted,) int64, ascending row numbers.

        Returns:
            (num_wanted, hidden): the results of the wanted rows, of which alone the last layer
            computes more than their state.
        """
        step = StepView(
            rows.shape[0],
            len(spans),
            (StepSpan * len(spans))(*map(_view_span, spans)),
            page_rows.data_ptr(),
            fresh_pages.shape[0],
            fresh_pages.data_ptr(),
            wanted.shape[0],
            wanted.data_ptr(),
        )
        shape = self._shape(rows.shape[1], memory)
        self._kernels.run_layers(shape, self._views, _view_memory(memory), step, rows)
        return rows[: wanted.shape[0]]

    def _shape(self, hidden: int, memory: StateMemory) -> NetworkShape:
        _, _, heads, state, channels = memory.boundary.shape
        _, _, block_length, groups, _ = memory.ring_b.shape
        _, _, page_length, kv_heads, head_dim = memory.keys.shape
        numbers = self._arithmetic
        return NetworkShape(
            num_layers=len(self._layers),
            hidden=hidden,
            taps=memory.windows.shape[2] + 1,
            state=StateShape(block_length, heads, channels, groups, state),
            attention=AttentionShape(numbers.heads, kv_heads, head_dim, page_length),
            eps=numbers.norm_eps,
            residual_multiplier=numbers.residual_multiplier,
            attention_scale=numbers.attention_scale,
            least_time_step=numbers.time_step_limit[0],
            most_time_step=numbers.time_step_limit[1],
        )


def _view_layer(weights: LayerWeights) -> LayerWeightsView:
    mixer = weights.mixer
    view = LayerWeightsView(
        mixer_norm=_address(weights.mixer_norm),
        mlp_norm=_address(weights.mlp_norm),
        mlp_in=_view_matrix(weights.mlp_in),
        mlp_out=_view_matrix(weights.mlp_out),
    )
    if isinstance(mixer, AttentionWeights):
        view.mixer = ATTENTION
        view.mixer_in = _view_matrix(mixer.queries_keys_values)
        view.mixer_out = _view_matrix(mixer.output)
        return view
    view.mixer = MAMBA
    view.mixer_in, view.mixer_out = _view_matrix(mixer.in_proj), _view_matrix(mixer.out_proj)
    view.taps, view.conv_bias = _address(mixer.taps), _address(mixer.conv_bias)
    view.dt_bias, view.a, view.d = _address(mixer.dt_bias), _address(mixer.a), _address(mixer.d)
    view.gated_norm = _address(mixer.norm)
    return view


def _view_matrix(parts: Sequence[PackedWeight]) -> Matrix:
    return Matrix(
        parts[0].in_features, len(parts), (PackedPart * len(parts))(*map(PackedPart.of, parts))
    )


def _view_span(span: Span) -> StepSpan:
    return StepSpan(span.rows.start, span.num_rows, span.slot, span.start, span.pages.data_ptr())


def _view_memory(memory: StateMemory) -> StateMemoryView:
    return StateMemoryView(
        num_mamba_layers=memory.boundary.shape[1],
        num_pages=memory.keys.shape[1],
        **{
            name: _address(getattr(memory, name))
            for name in ("boundary", "ring_x", "ring_b", "ring_dt", "windows", "keys", "values")
        },
    )


def _address(tensor: Tensor) -> int:
    if tensor.dtype is not torch.float32 or not tensor.is_contiguous():
        raise ValueError("native layers take contiguous fp32 tensors")
    return tensor.data_ptr()
