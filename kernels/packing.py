"""Weights in the form the native kernels read: quantised in groups, 16 output rows together.

Layouts are those of `native/linear.hpp`. Knows nothing of checkpoints or of which tensor gets which
format.
"""

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

PANEL = 16
GROUP = 64


class Format(IntEnum):
    """How weights are stored; the numbers are the native kernels'."""

    INT8 = 0
    INT4 = 1
    BF16 = 2

    @property
    def zero_point(self) -> int:
        """Stored values are unsigned; this one stands for 0."""
        return 128 if self is Format.INT8 else 8


@dataclass(frozen=True, slots=True)
class QuantizedWeight:
    """`(values - zero_point) * scales` is the weight. Each group of 64 inputs has its own scale."""

    values: Tensor  # (out_features, in_features) uint8
    scales: Tensor  # (out_features, in_features / 64) fp16
    format: Format

    def dequantize(self) -> Tensor:
        """(out_features, in_features) fp32."""
        grouped = self.values.view(*self.scales.shape, GROUP).float() - self.format.zero_point
        return (grouped * self.scales.float()[..., None]).flatten(1)


@dataclass(frozen=True, slots=True)
class PackedWeight:
    """`data` is one contiguous buffer of panels; `out_features` does not count padding rows."""

    data: Tensor  # (panels, panel_bytes) uint8
    format: Format
    in_features: int
    out_features: int

    def rows(self, indices: Tensor) -> Tensor:
        """The rows of these numbers as they are stored: (num_indices, in_features) fp32."""
        panels = PackedWeight(
            self.data[indices // PANEL], self.format, self.in_features, PANEL * indices.numel()
        )
        lanes = torch.arange(indices.numel()) * PANEL + indices % PANEL
        return panels.restore()[lanes]

    def restore(self) -> Tensor:
        """What the packed weight stands for: (out_features, in_features) fp32."""
        if self.format is Format.BF16:
            return unpack_bf16(self).float()
        return unpack(self).dequantize()


def packed_shape(out_features: int, in_features: int, format: Format) -> tuple[int, int]:
    """(panels, panel_bytes) of a packed weight."""
    bits = {Format.INT8: 8, Format.INT4: 4, Format.BF16: 16}[format]
    scale_bytes = 0 if format is Format.BF16 else in_features // GROUP * torch.float16.itemsize
    return -(-out_features // PANEL), PANEL * (in_features * bits // 8 + scale_bytes)


def can_pack(in_features: int) -> bool:
    """Whether a layer of that many inputs has a packed form; others keep the plain twin."""
    return in_features % GROUP == 0


def quantize(weight: Tensor, format: Format) -> QuantizedWeight:
    """Round to nearest with, per group, the scale of least squared error among a few candidates.

    Args:
        weight: (out_features, in_features), in_features a multiple of 64.
    """
    groups = weight.float().view(weight.shape[0], -1, GROUP)
    peak = groups.abs().amax(-1, keepdim=True)
    if format is Format.INT8:
        best = peak / 127
    else:
        best = _search_scale(groups)
    scales = best.to(torch.float16)
    values = _round_to(groups, scales.float(), format)
    return QuantizedWeight(values.flatten(1), scales.squeeze(-1), format)


def _search_scale(groups: Tensor) -> Tensor:
    """Of a few candidates per group, from clipping its extreme to not using the last step."""
    extreme = groups.gather(-1, groups.abs().argmax(-1, keepdim=True))
    best = extreme / -8
    error = torch.full_like(best, torch.inf)
    for steps in torch.linspace(5.5, 9.0, 15).tolist():
        for sign in (-1.0, 1.0):
            scale = extreme * (sign / steps)
            restored = (_round_to(groups, scale, Format.INT4).float() - 8) * scale
            candidate = (restored - groups).square().sum(-1, keepdim=True)
            best = torch.where(candidate < error, scale, best)
            error = torch.minimum(candidate, error)
    return best


def _round_to(groups: Tensor, scales: Tensor, format: Format) -> Tensor:
    zero = format.zero_point
    inverse = torch.where(scales == 0, 0.0, 1.0 / scales)
    low, high = (1, 255) if format is Format.INT8 else (0, 15)
    return ((groups * inverse).round() + zero).clamp(low, high).to(torch.uint8)


def pack_quantized(weight: QuantizedWeight) -> PackedWeight:
    """Interleave 16 rows by 4 inputs, scales of a panel first."""
    rows, inputs = weight.values.shape
    values = _pad_rows(weight.values).view(-1, PANEL, inputs // GROUP, GROUP // 4, 4)
    quads = values.permute(0, 2, 3, 1, 4)  # (panels, groups, quad, row, input)
    if weight.format is Format.INT4:
        quads = quads[:, :, 0::2] | (quads[:, :, 1::2] << 4)
    scales = _pad_rows(weight.scales).view(-1, PANEL, inputs // GROUP).transpose(1, 2)
    panels = quads.shape[0]
    data = torch.cat(
        [scales.contiguous().view(torch.uint8).view(panels, -1), quads.reshape(panels, -1)], dim=1
    )
    return PackedWeight(data.contiguous(), weight.format, inputs, rows)


def unpack(weight: PackedWeight) -> QuantizedWeight:
    """The inverse of `pack_quantized`.

    Raises:
        ValueError: the weight is packed bf16.
    """
    if weight.format is Format.BF16:
        raise ValueError("bf16 weights are not quantised")
    groups = weight.in_features // GROUP
    panels = weight.data.shape[0]
    scale_bytes = groups * PANEL * torch.float16.itemsize
    stored = weight.data[:, scale_bytes:]
    scales = weight.data[:, :scale_bytes].contiguous().view(torch.float16).view(-1, groups, PANEL)
    stored_quads = stored.shape[1] // (groups * PANEL * 4)
    quads = stored.reshape(panels, groups, stored_quads, PANEL, 4)
    if weight.format is Format.INT4:
        quads = torch.stack([quads & 15, quads >> 4], dim=3).flatten(2, 3)
    values = quads.permute(0, 3, 1, 2, 4).reshape(panels * PANEL, weight.in_features)
    flat_scales = scales.transpose(1, 2).reshape(panels * PANEL, groups)
    rows = weight.out_features
    return QuantizedWeight(values[:rows], flat_scales[:rows], weight.format)


def unpack_bf16(weight: PackedWeight) -> Tensor:
    """The inverse of `pack_bf16`."""
    pairs = weight.data.view(torch.bfloat16).view(-1, weight.in_features // 2, PANEL, 2)
    return pairs.transpose(1, 2).reshape(-1, weight.in_features)[: weight.out_features]


def pack_bf16(weight: Tensor) -> PackedWeight:
    """Interleave 16 rows by 2 inputs."""
    rows, inputs = weight.shape
    pairs = _pad_rows(weight.to(torch.bfloat16)).view(-1, PANEL, inputs // 2, 2).transpose(1, 2)
    data = pairs.contiguous().view(torch.uint8).view(pairs.shape[0], -1)
    return PackedWeight(data, Format.BF16, inputs, rows)


def pack(weight: Tensor, format: Format) -> PackedWeight:
    """(out_features, in_features) of any float dtype; in_features a multiple of 64."""
    if format is Format.BF16:
        return pack_bf16(weight)
    return pack_quantized(quantize(weight, format))


def _pad_rows(rows: Tensor) -> Tensor:
    missing = -rows.shape[0] % PANEL
    if missing == 0:
        return rows.contiguous()
    return torch.cat([rows, rows.new_zeros(missing, rows.shape[1])])
