"""The short causal convolution in front of the state space, on flat rows of many sequences."""

import torch
from torch import Tensor

from kernels.activation import silu


def causal_conv_silu(source: Tensor, taps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """SiLU of each row's depthwise convolution with its own predecessors.

    Args:
        source: (num_inputs, channels): kept windows of the sequences, then this step's rows.
        taps: (num_rows, kernel) int64: for each row the inputs it sees, oldest first, itself last.
        weight: (channels, kernel).
        bias: (channels,).

    Returns:
        (num_rows, channels). Taps are added oldest first, so a row's sum never depends on its
        batch.
    """
    total = bias.expand(taps.shape[0], -1)
    for tap in range(taps.shape[1]):
        total = torch.addcmul(total, source[taps[:, tap]], weight[:, tap])
    return silu(total)
