"""The native kernels behind ctypes: finds the built library, checks tensors, passes pointers.

Each `NativeKernels` owns a thread pool. Tensors are fp32 on the CPU, contiguous unless said
otherwise.
"""

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from kernels.errors import GraniteError
from kernels.interface import Span, StatePool, Weight
from kernels.library_path import library_path
from kernels.linear import linear
from kernels.native_structures import (
    MAX_BLOCK_LENGTH,
    MAX_TAPS,
    AttentionRows,
    AttentionShape,
    ConvolvedRows,
    InstructionSet,
    LayerWeightsView,
    NetworkShape,
    PackedPart,
    SequenceRows,
    StateMemoryView,
    StateShape,
    StepView,
)
from kernels.packing import PANEL, Format, PackedWeight

_FLOAT = 4  # bytes


class NativeKernelsMissing(GraniteError):
    """The package was installed without a compiler, so the library was not built."""


class NativeKernels:
    """Raises NativeKernelsMissing if the library was not built."""

    def __init__(self, threads: int, instruction_set: InstructionSet = InstructionSet.BEST) -> None:
        path = library_path()
        if not path.exists():
            raise NativeKernelsMissing(f"{path.name} was not built at installation")
        self._library = ctypes.CDLL(str(path))
        self._library.granite_create.restype = ctypes.c_void_p
        self._library.granite_instruction_set.restype = ctypes.c_char_p
        self._context = ctypes.c_void_p(self._library.granite_create(threads, int(instruction_set)))

    def close(self) -> None:
        """End the threads. Nothing may be called afterwards."""
        self._library.granite_destroy(self._context)

    is_native = True

    @property
    def name(self) -> str:
        """The instruction set in use."""
        name: bytes = self._library.granite_instruction_set(self._context)
        return name.decode()

    def linear(self, rows: Tensor, weight: Weight) -> Tensor:
        if isinstance(weight, Tensor):
            return linear(rows, weight)
        rows = rows.contiguous()
        parts = (PackedPart * len(weight))(*map(PackedPart.of, weight))
        outputs = sum(part.outputs for part in parts)
        output = torch.empty(rows.shape[0], outputs)
        self._library.granite_linear(
            self._context,
            _pointer(rows),
            _int64(rows.shape[0]),
            _int64(weight[0].in_features),
            _int64(len(parts)),
            parts,
            _pointer(output),
            _int64(outputs),
        )
        return output[:, : sum(part.out_features for part in weight)]

    def pack(self, weight: Tensor, format: Format) -> PackedWeight:
        """As `kernels.packing.pack`, many times faster. `weight` is bf16 or fp32."""
        outputs, inputs = weight.shape
        panels = -(-outputs // PANEL)
        self._library.granite_panel_bytes.restype = ctypes.c_int64
        panel_bytes = self._library.granite_panel_bytes(int(format), _int64(inputs))
        data = torch.empty(panels, panel_bytes, dtype=torch.uint8)
        self._library.granite_pack(
            self._context,
            int(format),
            _pointer(weight),
            int(weight.dtype == torch.bfloat16),
            _int64(outputs),
            _int64(inputs),
            _pointer(data),
        )
        return PackedWeight(data, format, inputs, outputs)

    def rms_norm(self, rows: Tensor, weight: Tensor, eps: float) -> Tensor:
        output = torch.empty_like(rows)
        self._library.granite_rms_norm(
            self._context,
            _pointer(rows),
            _int64(rows.shape[0]),
            _int64(rows.shape[1]),
            _pointer(weight),
            ctypes.c_float(eps),
            _pointer(output),
        )
        return output

    def gated_rms_norm(
        self, rows: Tensor, gate: Tensor, weight: Tensor, eps: float, groups: int
    ) -> Tensor:
        """`gate` may be a slice of wider rows."""
        output = torch.empty_like(rows)
        self._library.granite_gated_rms_norm(
            self._context,
            _pointer(rows),
            _pointer(gate, contiguous=False),
            _int64(gate.stride(0)),
            _int64(rows.shape[0]),
            _int64(rows.shape[1]),
            _int64(groups),
            _pointer(weight),
            ctypes.c_float(eps),
            _pointer(output),
        )
        return output

    def silu_and_multiply(self, rows: Tensor) -> Tensor:
        width = rows.shape[1] // 2
        output = torch.empty(rows.shape[0], width)
        self._library.granite_silu_and_multiply(
            self._context, _pointer(rows), _int64(rows.shape[0]), _int64(width), _pointer(output)
        )
        return output

    def time_step(self, rows: Tensor, bias: Tensor, low: float, high: float) -> Tensor:
        """`rows` may be a slice of wider rows."""
        output = torch.empty(rows.shape)
        self._library.granite_time_step(
            self._context,
            _pointer(rows, contiguous=False),
            _int64(rows.stride(0)),
            _int64(rows.shape[0]),
            _int64(rows.shape[1]),
            _pointer(bias),
            ctypes.c_float(low),
            ctypes.c_float(high),
            _pointer(output),
        )
        return output

    def convolve_silu(
        self, rows: Tensor, pool: StatePool, spans: Sequence[Span], weight: Tensor, bias: Tensor
    ) -> Tensor:
        """`rows` may be a slice of wider rows."""
        _require_at_most(MAX_TAPS, weight.shape[0], "taps of the convolution")
        output = torch.empty(rows.shape)
        sequences = (ConvolvedRows * len(spans))(
            *(
                ConvolvedRows(
                    span.num_rows,
                    _row_address(rows, span.rows.start),
                    _row_address(pool.windows, span.slot),
                    _row_address(output, span.rows.start),
                )
                for span in spans
            )
        )
        self._library.granite_convolve(
            self._context,
            _int64(len(spans)),
            sequences,
            _int64(rows.stride(0)),
            _pointer(weight),
            _pointer(bias),
            _int64(weight.shape[0]),
            _int64(rows.shape[1]),
        )
        return output

    def advance_state(
        self,
        convolved: Tensor,
        dt: Tensor,
        pool: StatePool,
        spans: Sequence[Span],
        a: Tensor,
        d: Tensor,
    ) -> Tensor:
        _, block_length, heads, channels = pool.ring_x.shape
        _require_at_most(MAX_BLOCK_LENGTH, block_length, "rows of a block")
        groups, state = pool.ring_b.shape[2:]
        width = heads * channels
        output = torch.empty(convolved.shape[0], width)
        sequences = (SequenceRows * len(spans))(
            *(
                SequenceRows(
                    span.num_rows,
                    span.start % block_length,
                    x := _row_address(convolved, span.rows.start),
                    x + width * _FLOAT,
                    x + (width + groups * state) * _FLOAT,
                    _row_address(dt, span.rows.start),
                    *(
                        _row_address(tensor, span.slot)
                        for tensor in (pool.boundary, pool.ring_x, pool.ring_b, pool.ring_dt)
                    ),
                    _row_address(output, span.rows.start),
                )
                for span in spans
            )
        )
        shape = StateShape(block_length, heads, channels, groups, state)
        self._library.granite_advance_state(
            self._context,
            ctypes.byref(shape),
            _int64(len(spans)),
            sequences,
            _int64(convolved.stride(0)),
            _pointer(a),
            _pointer(d),
        )
        return output

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, spans: Sequence[Span], scale: float
    ) -> Tensor:
        queries = queries.contiguous()
        output = torch.empty_like(queries)
        sequences = (AttentionRows * len(spans))(
            *(
                AttentionRows(
                    span.num_rows,
                    span.start,
                    _row_address(queries, span.rows.start),
                    span.pages.data_ptr(),
                    _row_address(output, span.rows.start),
                )
                for span in spans
            )
        )
        _, page_length, kv_heads, head_dim = keys.shape
        shape = AttentionShape(queries.shape[1], kv_heads, head_dim, page_length)
        self._library.granite_attend(
            self._context,
            ctypes.byref(shape),
            _int64(len(spans)),
            sequences,
            _int64(queries.shape[1] * queries.shape[2]),
            _pointer(keys),
            _pointer(values),
            ctypes.c_float(scale),
        )
        return output

    def run_layers(
        self,
        shape: NetworkShape,
        layers: "ctypes.Array[LayerWeightsView]",
        memory: StateMemoryView,
        step: StepView,
        rows: Tensor,
    ) -> None:
        """All layers at once; wanted rows first; `kernels.native_layers` builds what this takes."""
        _require_at_most(MAX_TAPS, shape.taps, "taps of the convolution")
        _require_at_most(MAX_BLOCK_LENGTH, shape.state.block_length, "rows of a block")
        self._library.granite_run_layers(
            self._context,
            ctypes.byref(shape),
            layers,
            ctypes.byref(memory),
            ctypes.byref(step),
            _pointer(rows),
        )


def _row_address(tensor: Tensor, row: int) -> int:
    """Address of a row along the first dimension."""
    return tensor.data_ptr() + row * tensor.stride(0) * _FLOAT


def _require_at_most(limit: int, value: int, what: str) -> None:
    if value > limit:
        raise ValueError(f"native kernels take at most {limit} {what}, not {value}")


def _int64(value: int) -> ctypes.c_int64:
    return ctypes.c_int64(value)


def _pointer(tensor: Tensor, *, contiguous: bool = True) -> ctypes.c_void_p:
    if contiguous and not tensor.is_contiguous():
        raise ValueError("native kernels take contiguous tensors here")
    return ctypes.c_void_p(tensor.data_ptr())
