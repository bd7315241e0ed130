"""From the logits of one step to one token a row. Knows ids; no text, no requests, no model.

The order is: bias, grammar and suppressed ids, penalties, temperature, top_k, top_p, min_p, top_a,
draw. Rows are worked on one after the other by single-threaded numpy, which at this size is faster
than torch's sorting and makes a row's result bitwise independent of its neighbours and of torch's
threads.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from sampling.draw import draw_token, uniform
from sampling.history import TokenHistory
from sampling.logprobs import log_probabilities
from sampling.params import SamplingParams
from sampling.penalties import Allowed, adjust_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerRow:
    """Everything one row's token depends on besides its logits.

    The randomness is keyed by (`seed`, `choice`, `position`); `position` is the number of tokens
    generated before this one. `history` is the sequence so far, kept by the caller.
    `suppressed_ids` cannot be drawn, such as end-of-sequence ids before `min_tokens` are out.
    `next_ids` is what a grammar allows, (vocab,), or the only id, which nothing can suppress.
    """

    params: SamplingParams
    seed: int
    choice: int
    position: int
    history: TokenHistory
    suppressed_ids: Collection[int] = ()
    next_ids: int | Allowed | None = None


@dataclass(frozen=True, slots=True)
class SampledToken:
    """`top_logprobs` are (id, logprob) pairs, best first. Natural logarithms, always finite."""

    token_id: int
    logprob: float | None = None
    top_logprobs: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class NonFiniteLogits:
    """The row is broken: NaN or +inf among its logits, or nothing above -inf."""


@dataclass(frozen=True, slots=True)
class NothingToDraw:
    """The row is sound, but the request itself leaves no token that could be drawn."""


Drawn = SampledToken | NonFiniteLogits | NothingToDraw


class Sampler:
    def sample(self, logits: torch.Tensor, rows: Sequence[SamplerRow]) -> list[Drawn]:
        """Draw one token per row; a row that cannot be drawn from fails alone.

        `logits` is (rows, vocab), any float dtype, on any device: moved once, not written to. All
        token ids in `rows` are below vocab: the engine admits no others.

        Raises:
            ValueError: `rows` and `logits` differ in number.
        """
        scores = logits.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy()
        return [_sample_row(logits_row, row) for logits_row, row in zip(scores, rows, strict=True)]


def _sample_row(logits: npt.NDArray[np.float32], row: SamplerRow) -> Drawn:
    peak = float(logits[logits.argmax()])  # NaN if there is any NaN, else inf if there is any inf
    if not math.isfinite(peak):
        return NonFiniteLogits()
    token_id = row.next_ids if isinstance(row.next_ids, int) else _draw(logits, row, row.next_ids)
    if token_id is None:
        return NothingToDraw()
    if row.params.logprobs is None:
        return SampledToken(token_id)
    if math.isinf(logits[token_id]):
        return NonFiniteLogits()
    return SampledToken(token_id, *log_probabilities(logits, peak, token_id, row.params.logprobs))


def _draw(logits: npt.NDArray[np.float32], row: SamplerRow, allowed: Allowed | None) -> int | None:
    """None: every token is suppressed or not allowed."""
    scores = adjust_scores(logits, row.params, row.history, row.suppressed_ids, allowed)
    best_id = int(scores.argmax())
    score_peak = float(scores[best_id])
    if score_peak == -math.inf:
        return None
    if row.params.is_greedy:
        return best_id
    number = uniform(row.seed, row.choice, row.position)
    return draw_token(scores, score_peak, row.params, number)
