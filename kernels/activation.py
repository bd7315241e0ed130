"""Elementwise functions that give a value the same bits wherever it stands in a tensor.

torch's own silu and softplus round the last few elements of a buffer, which fill no whole vector
register, differently from the rest; its exp and log1p do not.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def silu(values: Tensor) -> Tensor:
    """`values * sigmoid(values)`. Lower precisions round the difference away."""
    if values.dtype != torch.float32:
        return F.silu(values)
    return values / (1.0 + torch.exp(-values))


def silu_and_multiply(rows: Tensor) -> Tensor:
    """`silu(first half) * second half` of each row (SwiGLU, Shazeer 2020).

    Args:
        rows: (num_rows, 2 * width): gate, then up projection.
    """
    gate, up = rows.chunk(2, dim=-1)
    return silu(gate) * up


def softplus(values: Tensor) -> Tensor:
    """`log(1 + exp(values))`."""
    return values.clamp(min=0.0) + torch.log1p(torch.exp(-values.abs()))
