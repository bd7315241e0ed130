"""What a request changes in the scores before they are filtered: bias, bans and penalties."""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from sampling.history import TokenHistory
from sampling.params import SamplingParams

Scores = npt.NDArray[np.float32]  # (vocab,)
Allowed = npt.NDArray[np.bool_]  # (vocab,)
TokenIds = npt.NDArray[np.int64]

_LARGEST = float(np.finfo(np.float32).max)


def adjust_scores(
    logits: Scores,
    params: SamplingParams,
    history: TokenHistory,
    suppressed_ids: Collection[int],
    allowed: Allowed | None = None,
) -> Scores:
    """Apply logit_bias, then the ids not allowed and those suppressed, then the three penalties.

    `logits` is not written to: it comes back itself where nothing changes, else as a changed copy.
    A finite score stays finite; a score of -inf stays -inf.
    """
    if allowed is not None:
        scores = np.where(allowed, logits, np.float32(-np.inf))
    elif params.logit_bias or suppressed_ids or _has_penalties(params):
        scores = logits.copy()
    else:
        return logits
    if params.logit_bias:
        _add_bias(scores, params.logit_bias)
    if suppressed_ids:
        scores[list(suppressed_ids)] = -np.inf
    if params.repetition_penalty != 1.0:
        _penalize_repetition(scores, history.seen_ids, params.repetition_penalty)
    if params.presence_penalty or params.frequency_penalty:
        _penalize_generated(scores, history, params.presence_penalty, params.frequency_penalty)
    return scores


def _has_penalties(params: SamplingParams) -> bool:
    return params.repetition_penalty != 1.0 or bool(
        params.presence_penalty or params.frequency_penalty
    )


def _add_bias(scores: Scores, logit_bias: tuple[tuple[int, float], ...]) -> None:
    num_entries = len(logit_bias)
    ids = np.fromiter((token_id for token_id, _ in logit_bias), np.int64, num_entries)
    bias = np.fromiter((value for _, value in logit_bias), np.float64, num_entries)
    _store(scores, ids, scores[ids] + bias)


def _penalize_repetition(scores: Scores, seen_ids: TokenIds, penalty: float) -> None:
    """Keskar et al. 2019 (CTRL), section 4.1, read as usual for negative scores: multiplied."""
    seen = scores[seen_ids].astype(np.float64)
    _store(scores, seen_ids, np.where(seen > 0, seen / penalty, seen * penalty))


def _penalize_generated(
    scores: Scores, history: TokenHistory, presence: float, frequency: float
) -> None:
    """OpenAI's formula: minus `presence`, and minus `frequency` per occurrence in the output."""
    ids = history.generated_ids
    penalty = presence + frequency * history.generated_counts  # float64
    _store(scores, ids, scores[ids] - penalty)


def _store(scores: Scores, ids: TokenIds, values: npt.NDArray[np.float64]) -> None:
    """Write `values` back as float32; finite ones beyond its range stop at its largest number."""
    finite = np.clip(values, -_LARGEST, _LARGEST)
    scores[ids] = np.where(np.isneginf(values), -np.inf, finite)
