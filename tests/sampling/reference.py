"""The sampler once more, slow and obviously right: plain Python lists, floats and whole sorts."""

import math
from collections.abc import Collection, Sequence

from sampling.params import SamplingParams


def reference_scores(
    logits: Sequence[float],
    params: SamplingParams,
    prompt_ids: Sequence[int],
    generated_ids: Sequence[int],
    suppressed_ids: Collection[int],
) -> list[float]:
    """Bias, suppression and the three penalties."""
    scores = list(logits)
    for token_id, bias in params.logit_bias:
        scores[token_id] += bias
    for token_id in suppressed_ids:
        scores[token_id] = -math.inf
    for token_id in {*prompt_ids, *generated_ids}:
        if scores[token_id] > 0:
            scores[token_id] /= params.repetition_penalty
        else:
            scores[token_id] *= params.repetition_penalty
    for token_id in set(generated_ids):
        scores[token_id] -= params.presence_penalty
        scores[token_id] -= params.frequency_penalty * list(generated_ids).count(token_id)
    return scores


def reference_ranking(scores: Sequence[float]) -> list[int]:
    """All ids above -inf, by descending score, then ascending id."""
    ids = [token_id for token_id, score in enumerate(scores) if score > -math.inf]
    return sorted(ids, key=lambda token_id: (-scores[token_id], token_id))


def reference_kept(
    scores: Sequence[float], params: SamplingParams, top_p: float
) -> list[tuple[int, float]]:
    """(id, probability) of what temperature, top_k and the other filters leave, ranked.

    `top_p` stands for that of `params`; top_a looks at the same distribution as it.
    """
    ids = reference_ranking(scores)
    if params.top_k:
        ids = ids[: params.top_k]
    best = scores[ids[0]]
    kept = [(id_, math.exp((scores[id_] - best) / params.temperature)) for id_ in ids]
    total = math.fsum(weight for _, weight in kept)
    least = params.top_a * (1.0 / total) ** 2
    if top_p < 1.0:
        nucleus, reached = [], 0.0
        for id_, weight in kept:
            nucleus.append((id_, weight))
            reached += weight
            if reached >= top_p * total:
                break
        kept = nucleus
    kept = [(id_, weight) for id_, weight in kept if weight >= params.min_p]
    kept = [(id_, weight) for id_, weight in kept if weight / total >= least]
    kept_total = math.fsum(weight for _, weight in kept)
    return [(id_, weight / kept_total) for id_, weight in kept]


def reference_draw(kept: Sequence[tuple[int, float]], uniform_number: float) -> int:
    """The id at `uniform_number` of the kept probabilities laid side by side."""
    reached = 0.0
    for id_, probability in kept:
        reached += probability
        if reached > uniform_number:
            return id_
    return kept[-1][0]


def reference_log_softmax(logits: Sequence[float]) -> list[float]:
    best = max(logits)
    log_total = math.log(math.fsum(math.exp(logit - best) for logit in logits))
    return [logit - best - log_total for logit in logits]


def reference_philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> int:
    """First output word of Philox4x64-10, from the paper's definition (Salmon et al. 2011)."""
    mask = 2**64 - 1
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * c0, 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * c2, 2**64)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & mask, (k1 + 0xBB67AE8584CAA73B) & mask
    return c0
