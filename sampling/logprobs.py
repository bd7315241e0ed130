"""Log-probabilities under the model's own distribution: before bias, penalties and filters."""

import math

import numpy as np
import numpy.typing as npt

from sampling.mass import total_weight
from sampling.ranking import rank


def log_probabilities(
    logits: npt.NDArray[np.float32], peak: float, token_id: int, num_alternatives: int
) -> tuple[float, tuple[tuple[int, float], ...]]:
    """The drawn token's log-probability, and the (id, log-probability) of the best alternatives.

    `logits` is (vocab,) with the finite maximum `peak`. Natural logarithms, all finite: tokens of
    logit -inf are left out of the alternatives, which then are fewer.
    """
    log_total = math.log(total_weight(logits, peak, temperature=1.0))
    ids = rank(logits, num_alternatives) if num_alternatives else np.empty(0, dtype=np.int64)
    alternatives = tuple(
        (int(other_id), float(logits[other_id]) - peak - log_total) for other_id in ids
    )
    return float(logits[token_id]) - peak - log_total, alternatives
