"""Which tokens may be drawn: top_k, top_p and min_p. Each of them keeps a prefix of the ranking."""

import numpy as np
import numpy.typing as npt

from sampling.params import SamplingParams


def candidate_limit(top_k: int, vocab_size: int) -> int:
    """How many of the best tokens top_k keeps; 0, or more than there are, keeps all."""
    return min(top_k, vocab_size) if top_k else vocab_size


def num_kept(
    weights: npt.NDArray[np.float64],
    cumulative: npt.NDArray[np.float64],
    total: float,
    params: SamplingParams,
) -> int:
    """How many of the leading candidates top_p and min_p keep, at least 1.

    `weights` are descending and relative to the best (`weights[0] == 1`), `cumulative` their
    running sum; they may be the beginning of a longer ranking whose sum is `total`. A result equal
    to `len(weights)` then means that more may be kept.

    top_p keeps the shortest prefix that holds at least that share of what top_k left (Holtzman et
    al. 2020); min_p keeps tokens at least that probable relative to the best (Nguyen et al. 2024).
    """
    kept = weights.size
    if params.top_p < 1.0:
        kept = min(kept, 1 + int(np.searchsorted(cumulative, params.top_p * total)))
    if params.min_p > 0.0:
        kept = min(kept, int(np.count_nonzero(weights >= params.min_p)))
    return kept
