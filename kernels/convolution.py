"""The short causal convolution in front of the state space: the slow twin in plain torch."""

import torch
from torch import Tensor

from kernels.activation import silu


def causal_conv_silu(rows: Tensor, window: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """SiLU of the depthwise convolution of one sequence's consecutive rows.

    Args:
        rows: (num_rows, channels).
        window: (kernel - 1, channels), the inputs before `rows`, oldest first; advanced in place.
        weight: (kernel, channels).
        bias: (channels,).

    Returns:
        (num_rows, channels). Taps are added oldest first: a row's sum never depends on its batch.
    """
    inputs = torch.cat([window, rows])
    num_rows = rows.shape[0]
    window.copy_(inputs[num_rows:])
    total = bias.expand(num_rows, -1)
    for tap in range(weight.shape[0]):
        total = torch.addcmul(total, inputs[tap : tap + num_rows], weight[tap])
    return silu(total)
