"""How probable a model found tokens that are already there: those of a prompt. Draws nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from sampling.logprobs import log_probabilities
from sampling.sampler import NonFiniteLogits


@dataclass(frozen=True, slots=True)
class Score:
    """`rank` is 1 for the most probable token; `top_logprobs` are (id, logprob), best first."""

    logprob: float
    rank: int
    top_logprobs: tuple[tuple[int, float], ...]


def score_tokens(
    logits: torch.Tensor, token_ids: Sequence[int], num_alternatives: int
) -> list[Score | NonFiniteLogits]:
    """Score one token per row under the model's own distribution; a bad row fails alone.

    `logits` is (rows, vocab), any float dtype, on any device: moved once, not written to.

    Raises:
        ValueError: `token_ids` and `logits` differ in number.
    """
    rows = logits.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy()
    return [
        _score_row(row, token_id, num_alternatives)
        for row, token_id in zip(rows, token_ids, strict=True)
    ]


def _score_row(
    logits: npt.NDArray[np.float32], token_id: int, num_alternatives: int
) -> Score | NonFiniteLogits:
    peak = float(logits[logits.argmax()])  # NaN if there is any NaN, else inf if there is any inf
    if not (math.isfinite(peak) and math.isfinite(logits[token_id])):
        return NonFiniteLogits()
    logprob, alternatives = log_probabilities(logits, peak, token_id, num_alternatives)
    return Score(logprob, _rank(logits, token_id), alternatives)


def _rank(logits: npt.NDArray[np.float32], token_id: int) -> int:
    """The place in `sampling.ranking`'s order, counted instead of sorted."""
    better = np.count_nonzero(logits > logits[token_id])
    equal_before = np.count_nonzero(logits[:token_id] == logits[token_id])
    return 1 + int(better) + int(equal_before)
