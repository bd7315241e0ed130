"""How far one model's next-token distributions are from another's."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Kullback-Leibler divergences in nats; `same_top` is the share of equal most likely tokens."""

    positions: int
    mean: float
    percentile_99: float
    largest: float
    same_top: float

    @staticmethod
    def summarise(divergences: Tensor, same_top: Tensor) -> "Divergence":
        """Of one number and one yes or no for each position: both (positions,)."""
        return Divergence(
            positions=divergences.numel(),
            mean=divergences.mean().item(),
            percentile_99=divergences.quantile(0.99).item(),
            largest=divergences.max().item(),
            same_top=same_top.float().mean().item(),
        )


def divergences_from(reference: Sequence[Tensor], other: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """KL(reference || other) and whether the top tokens are equal, both (positions,).

    Each element holds the log-probabilities of one text, (positions, vocab).
    """
    divergences, same_top = [], []
    for expected, actual in zip(reference, other, strict=True):
        divergences.append((expected.exp() * (expected - actual)).sum(-1))
        same_top.append(expected.argmax(-1) == actual.argmax(-1))
    return torch.cat(divergences), torch.cat(same_top)
