"""The Muon optimiser: momentum whose update is made orthogonal (Jordan et al., 2024).

In float32: a CPU without bfloat16 matrix tiles multiplies it several times faster.
"""

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ITERATIONS = 5
FIRST, THIRD, FIFTH = 3.4445, -4.775, 2.0315  # the published quintic


class Muon:
    """Keeps one momentum for each matrix."""

    def __init__(self, matrices: list[nn.Parameter]) -> None:
        self._matrices = matrices
        self.momenta = [torch.zeros_like(matrix) for matrix in matrices]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update every matrix by about `rate` in each direction; all must have a gradient."""
        for matrix, momentum in zip(self._matrices, self.momenta, strict=True):
            gradient = matrix.grad
            if gradient is None:
                raise ValueError("a matrix without gradient takes part in no layer")
            momentum.lerp_(gradient, 1 - MOMENTUM)
            ahead = gradient.lerp(momentum, MOMENTUM)
            size = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
            matrix.add_(orthogonal(ahead), alpha=-rate * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """Roughly the nearest matrix whose singular values are all one, by Newton-Schulz iteration."""
    tall = matrix.shape[0] > matrix.shape[1]
    result = matrix.T if tall else matrix
    result = result / (result.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = result @ result.T
        correction = torch.addmm(gram, gram, gram, beta=THIRD, alpha=FIFTH)
        result = torch.addmm(result, correction, result, beta=FIRST)
    return result.T if tall else result
