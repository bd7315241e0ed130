"""Row-independent linear layers on plain torch: the slow twin of the native kernels."""

import torch
import torch.nn.functional as F
from torch import Tensor

ROW_TILE = 16
"""Rows per fp32 matrix product. BLAS picks its loop order by the shape, so one fixed shape gives
each row the same float operations whatever the batch; 16 rows cost little more than one."""


def linear(rows: Tensor, weight: Tensor) -> Tensor:
    """`rows @ weight.T`.

    Args:
        rows: (num_rows, in_features).
        weight: (out_features, in_features), same dtype.

    Returns:
        (num_rows, out_features). In fp32 each row is bitwise independent of the others; in bf16 it
        is as independent as the installed BLAS makes it.
    """
    if rows.dtype != torch.float32:
        return F.linear(rows, weight)
    num_rows = rows.shape[0]
    padded = F.pad(rows, (0, 0, 0, -num_rows % ROW_TILE))
    products = [F.linear(tile, weight) for tile in torch.split(padded, ROW_TILE)]
    return torch.cat(products)[:num_rows]
