"""One token from one row: a uniform number of its own, laid over the weights the filters keep."""

import numpy as np
import numpy.typing as npt

from sampling.filters import candidate_limit, num_kept
from sampling.mass import relative_weights, total_weight
from sampling.params import SamplingParams
from sampling.ranking import rank

_FIRST_CANDIDATES = 256
_CANDIDATE_GROWTH = 64


def uniform(seed: int, choice: int, position: int) -> float:
    """A number in [0, 1) that depends on nothing but its three arguments.

    The upper 53 bits, times 2**-53, of the first word that numpy's Philox4x64-10 (Salmon et al.
    2011) gives for key (seed, choice) and counter (position, 0, 0, 0). `seed` is any signed 64-bit
    integer, taken modulo 2**64; `choice` and `position` are not negative.
    """
    key = np.array([seed % 2**64, choice], dtype=np.uint64)
    counter = np.array([position, 0, 0, 0], dtype=np.uint64)
    word = int(np.random.Philox(key=key, counter=counter).random_raw())
    return (word >> 11) * 2.0**-53


def draw_token(
    scores: npt.NDArray[np.float32], peak: float, params: SamplingParams, uniform_number: float
) -> int:
    """Temperature, top_k, top_p, min_p, top_a, then the draw.

    `scores` is (vocab,) without NaN or +inf, and `peak`, its maximum, is finite. The kept tokens
    are laid side by side in ranking order, each as wide as its weight; the token at
    `uniform_number` of the whole width is drawn (inverse CDF). The ranking is sorted only as far
    as the filters and the draw reach.
    """
    limit = candidate_limit(params.top_k, scores.size)
    if limit < scores.size:
        count, total = limit, None
    else:
        count, total = _FIRST_CANDIDATES, total_weight(scores, peak, params.temperature)
    while True:
        count = min(count, limit)
        ids = rank(scores, count)
        weights = relative_weights(scores[ids], peak, params.temperature)
        place = _place(weights, total, count == limit, params, uniform_number)
        if place is not None:
            return int(ids[place])
        count *= _CANDIDATE_GROWTH


def _place(
    weights: npt.NDArray[np.float64],
    total: float | None,
    is_complete: bool,
    params: SamplingParams,
    uniform_number: float,
) -> int | None:
    """Rank of the drawn candidate, or None where the leading `weights` do not decide it.

    `total` is the weight of the whole ranking, None if `weights` is all of it (`is_complete`).
    """
    cumulative = np.cumsum(weights)
    kept = num_kept(weights, cumulative, cumulative[-1] if total is None else total, params)
    cuts = params.top_p < 1.0 or params.min_p > 0.0 or params.top_a > 0.0
    if is_complete or kept < weights.size:
        kept_weight = cumulative[kept - 1]
    elif total is not None and not cuts:
        kept_weight = total
    else:
        return None
    # A number below 1 times a sum is below the sum, so a token of weight 0 is never reached.
    place = int(np.searchsorted(cumulative[:kept], uniform_number * kept_weight, side="right"))
    return place if place < kept else None
