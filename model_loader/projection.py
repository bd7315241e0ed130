"""A linear layer without bias: where weights may be stored in another form than on disk."""

import torch
from torch import Tensor, nn

from kernels.linear import linear


class Projection(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features), requires_grad=False)

    def forward(self, rows: Tensor) -> Tensor:
        """(num_rows, in_features) -> (num_rows, out_features)."""
        return linear(rows, self.weight)
