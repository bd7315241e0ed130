"""Root-mean-square normalisation, plain and gated. Statistics are fp32 in every dtype."""

import torch
from torch import Tensor

from kernels.activation import silu


def rms_norm(rows: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Scale each row to unit root mean square, then by `weight` (Zhang and Sennrich 2019, eq. 4).

    Args:
        rows: (num_rows, width).
        weight: (width,), same dtype as `rows`.
    """
    wide = rows.float()
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return weight * (wide * scale).to(rows.dtype)


def gated_rms_norm(rows: Tensor, gate: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    """RMSNorm of `rows * silu(gate)` within `groups` equal parts of the width (Mamba-2, section 7).

    Args:
        rows: (num_rows, width) fp32.
        gate: (num_rows, width), the model's dtype, which the result takes.
    """
    gated = rows * silu(gate.float())
    grouped = gated.view(gated.shape[0], groups, -1)  # (num_rows, groups, width / groups)
    scale = torch.rsqrt(grouped.square().mean(-1, keepdim=True) + eps)
    return weight * (grouped * scale).flatten(-2).to(gate.dtype)
