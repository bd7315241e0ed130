"""Which of several candidates to show: those the model itself finds likeliest. Knows no dialect."""

import math
from collections.abc import Sequence

from server.folding import FoldedChoice


def best_of(
    choices: Sequence[FoldedChoice], num_candidates: int, num_kept: int
) -> list[FoldedChoice]:
    """Of every `num_candidates` consecutive choices the best `num_kept`, best first.

    Measured by the mean log-probability of their tokens, so that short ones have no advantage.
    Where all are kept, they keep their order.
    """
    if num_kept == num_candidates:
        return list(choices)
    kept: list[FoldedChoice] = []
    for first in range(0, len(choices), num_candidates):
        candidates = choices[first : first + num_candidates]
        kept += sorted(candidates, key=_mean_logprob, reverse=True)[:num_kept]
    return kept


def _mean_logprob(choice: FoldedChoice) -> float:
    return -math.inf if choice.mean_logprob is None else choice.mean_logprob
