"""The slow twin of the native quantised linear layers, in plain torch."""

import torch
from torch import Tensor

from kernels.packing import GROUP, QuantizedWeight

STEPS_OF_PEAK = 126.0
LEAST_PEAK = 1e-36
"""A group of smaller activations is zero: the steps over its peak would not be finite."""


def quantize_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Signed 8-bit activations with a scale per row and group of 64: values, scales.

    126 is the largest sum of the positive ones, or of the negative ones, among four activations
    that share 16 bits in a native kernel: 8 i + 0, 1, 4, 5 and 8 i + 2, 3, 6, 7. Four rounded ones
    then add up to at most 128, and 255 times that fits.

    Returns:
        (num_rows, groups, 64) fp32 holding integers -126 to 126, and (num_rows, groups) fp32.
    """
    groups = rows.float().view(rows.shape[0], -1, GROUP)
    positive, negative = (_sums_of_fours((sign * groups).clamp(min=0)) for sign in (1, -1))
    peak = torch.maximum(positive, negative).amax(-1)
    inverse = torch.where(peak > LEAST_PEAK, STEPS_OF_PEAK / peak, 0.0)
    return (groups * inverse[..., None]).round(), peak / STEPS_OF_PEAK


def _sums_of_fours(groups: Tensor) -> Tensor:
    """(num_rows, groups, 16), in the order of the native kernels: no other has the same bits."""
    halves = groups.view(*groups.shape[:-1], GROUP // 8, 2, 4)
    pairs = halves[..., 0, :] + halves[..., 1, :]
    return (pairs[..., 0::2] + pairs[..., 1::2]).flatten(-2)


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
