"""The structures that the native kernels take, field by field those of `native/*.hpp`.

Pointers are addresses; what they point to must outlive the call.
"""

import ctypes
from enum import IntEnum

from kernels.packing import PANEL, PackedWeight

MAX_BLOCK_LENGTH = 64
MAX_TAPS = 8
"""What the native kernels keep on their stack (`kMaxBlockLength`, `kMaxTaps`)."""


class InstructionSet(IntEnum):
    """The most that native kernels may use; where the processor has less, they use less."""

    BEST = 0
    AVX2 = 1
    GENERIC = 2


class PackedPart(ctypes.Structure):
    """Output rows of one matrix in one format, padded to whole panels."""

    _fields_ = [
        ("format", ctypes.c_int64),
        ("outputs", ctypes.c_int64),
        ("panels", ctypes.c_void_p),
    ]

    @staticmethod
    def of(weight: PackedWeight) -> "PackedPart":
        outputs = -(-weight.out_features // PANEL) * PANEL
        return PackedPart(int(weight.format), outputs, weight.data.data_ptr())


class StateShape(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64) for name in ("block_length", "heads", "channels", "groups", "state")
    ]


class SequenceRows(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("x", "b", "c", "dt")),
        *((name, ctypes.c_void_p) for name in ("boundary", "ring_x", "ring_b", "ring_dt", "y")),
    ]


class ConvolvedRows(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_int64),
        ("x", ctypes.c_void_p),
        ("window", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
    ]


class AttentionShape(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("heads", "kv_heads", "head_dim", "page_length")]


class AttentionRows(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_int64),
        ("start", ctypes.c_int64),
        ("queries", ctypes.c_void_p),
        ("pages", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
    ]


class Matrix(ctypes.Structure):
    """`parts` is an array that the structure keeps alive."""

    _fields_ = [
        ("inputs", ctypes.c_int64),
        ("num_parts", ctypes.c_int64),
        ("parts", ctypes.POINTER(PackedPart)),
    ]


class LayerWeightsView(ctypes.Structure):
    _fields_ = [
        ("mixer", ctypes.c_int64),
        ("mixer_norm", ctypes.c_void_p),
        ("mixer_in", Matrix),
        ("mixer_out", Matrix),
        ("mlp_norm", ctypes.c_void_p),
        ("mlp_in", Matrix),
        ("mlp_out", Matrix),
        *((name, ctypes.c_void_p) for name in ("taps", "conv_bias", "dt_bias", "a", "d")),
        ("gated_norm", ctypes.c_void_p),
    ]


class NetworkShape(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("num_layers", "hidden", "taps")),
        ("state", StateShape),
        ("attention", AttentionShape),
        *((name, ctypes.c_float) for name in ("eps", "residual_multiplier", "attention_scale")),
        *((name, ctypes.c_float) for name in ("least_time_step", "most_time_step")),
    ]


class StateMemoryView(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("num_mamba_layers", "num_pages")),
        *((name, ctypes.c_void_p) for name in ("boundary", "ring_x", "ring_b", "ring_dt")),
        *((name, ctypes.c_void_p) for name in ("windows", "keys", "values")),
    ]


class StepSpan(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("first_row", "rows", "slot", "start")),
        ("pages", ctypes.c_void_p),
    ]


class StepView(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_int64),
        ("num_spans", ctypes.c_int64),
        ("spans", ctypes.POINTER(StepSpan)),
        ("page_rows", ctypes.c_void_p),
        ("num_fresh_pages", ctypes.c_int64),
        ("fresh_pages", ctypes.c_void_p),
        ("num_wanted", ctypes.c_int64),
        ("wanted", ctypes.c_void_p),
    ]
