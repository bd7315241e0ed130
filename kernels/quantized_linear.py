"""The slow twin of the native quantised linear layers, in plain torch."""

import torch
from torch import Tensor

from kernels.packing import GROUP, QuantizedWeight

LEAST_PEAK = 1e-36
"""A group of smaller activations is zero: 127 over its peak would not be finite."""


def quantize_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Signed 8-bit activations with a scale per row and group of 64: values, scales.

    127 is the largest magnitude in the group of one activation and of the sum of two neighbours, so
    that rounded neighbours add up to at most 128 and 255 times either fits into 16 bits.

    Returns:
        (num_rows, groups, 64) fp32 holding integers -127 to 127, and (num_rows, groups) fp32.
    """
    groups = rows.float().view(rows.shape[0], -1, GROUP)
    pairs = groups[..., 0::2] + groups[..., 1::2]
    peak = torch.maximum(groups.abs().amax(-1), pairs.abs().amax(-1))
    inverse = torch.where(peak > LEAST_PEAK, 127.0 / peak, 0.0)
    return (groups * inverse[..., None]).round(), peak / 127.0


def quantized_linear(rows: Tensor, weight: QuantizedWeight) -> Tensor:
    """Exact integer sums within a group, fp32 over the groups in ascending order.

    Args:
        rows: (num_rows, in_features) fp32.

    Returns:
        (num_rows, out_features) fp32.
    """
    values, scales = quantize_rows(rows)
    stored = weight.values.view(*weight.scales.shape, GROUP).float() - weight.format.zero_point
    total = rows.new_zeros(rows.shape[0], stored.shape[0])
    for group in range(scales.shape[1]):
        dots = values[:, group] @ stored[:, group].T  # integers below 2**24: exact in fp32
        total += dots * scales[:, group, None] * weight.scales[:, group].float()
    return total
