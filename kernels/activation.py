"""Elementwise functions that torch lacks in the form needed here."""

import torch
import torch.nn.functional as F
from torch import Tensor


def silu_and_multiply(rows: Tensor) -> Tensor:
    """`silu(first half) * second half` of each row (SwiGLU, Shazeer 2020).

    Args:
        rows: (num_rows, 2 * width): gate, then up projection.
    """
    gate, up = rows.chunk(2, dim=-1)
    return F.silu(gate) * up


def softplus(values: Tensor) -> Tensor:
    """`log(1 + exp(values))`, the same bits for a value wherever it stands in the tensor.

    torch's own rounds the last few elements of a buffer differently from the vectorised rest.
    """
    return values.clamp(min=0.0) + torch.log1p(torch.exp(-values.abs()))
