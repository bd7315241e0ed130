"""Which tokens may be drawn: top_k, top_p, min_p, top_a. Each keeps a prefix of the ranking."""

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
    """How many of the leading candidates top_p, min_p and top_a keep, at least 1.

    `weights` are descending and relative to the best (`weights[0] == 1`), `cumulative` their
    running sum; they may be the beginning of a longer ranking whose sum is `total`. A result equal
    to `len(weights)` then means that more may be kept.

    top_p keeps the shortest prefix that holds at least that share of what top_k left (Holtzman et
    al. 2020); min_p keeps tokens at least that probable relative to the best (Nguyen et al. 2024);
    top_a keeps tokens with a probability of at least that times the best one's squared (Peng Bo,
    RWKV-LM), where probabilities too are shares of what top_k left.
    """
    kept = weights.size
    if params.top_p < 1.0:
        kept = min(kept, 1 + int(np.searchsorted(cumulative, params.top_p * total)))
    if params.min_p > 0.0:
        kept = min(kept, int(np.count_nonzero(weights >= params.min_p)))
    if params.top_a > 0.0:  # weight / total >= top_a * (1 / total) ** 2
        kept = min(kept, int(np.count_nonzero(weights * total >= params.top_a)))
    return kept
