"""Which rows of a step's logits are drawn from, and what the others say about their prompts."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from torch import Tensor

from engine.errors import NumericError
from engine.request import ScoredToken, TokenLogprob
from engine.step import Chunk
from sampling.sampler import NonFiniteLogits
from sampling.scores import Score, score_tokens

Scores = tuple[ScoredToken, ...] | NumericError


def num_logits(chunk: Chunk) -> int:
    """Rows at the end of a chunk whose logits are needed: to score, and the last one to draw."""
    return len(chunk.scored_rows) + chunk.wants_token


def drawn_logits(logits: Tensor, chunks: Sequence[Chunk]) -> Tensor:
    """The rows to draw from (chunks that want a token, vocab); not copied if there are no others.

    `logits` is (num_logits of all chunks, vocab), in their order.
    """
    if not any(chunk.scored_rows for chunk in chunks):
        return logits
    ends = accumulate(map(num_logits, chunks))
    return logits[[end - 1 for end, chunk in zip(ends, chunks, strict=True) if chunk.wants_token]]


def score_prompts(logits: Tensor, chunks: Sequence[Chunk]) -> Iterator[Scores]:
    """For each chunk the scores of its `scored_rows`, usually none. `logits` as above."""
    first = 0
    for chunk in chunks:
        scored = chunk.scored_rows
        yield _scores(logits[first : first + len(scored)], chunk) if scored else ()
        first += num_logits(chunk)


def _scores(logits: Tensor, chunk: Chunk) -> Scores:
    request = chunk.sequence.request
    rows = chunk.scored_rows
    token_ids = request.prompt_ids[rows.start + 1 : rows.stop + 1]
    scores = score_tokens(logits, token_ids, request.prompt_logprobs or 0)
    tokens = []
    for token_id, score in zip(token_ids, scores, strict=True):
        if isinstance(score, NonFiniteLogits):
            return NumericError("the model's output for this prompt is not finite")
        tokens.append(_scored_token(token_id, score))
    return tuple(tokens)


def _scored_token(token_id: int, score: Score) -> ScoredToken:
    top = tuple(TokenLogprob(other_id, logprob) for other_id, logprob in score.top_logprobs)
    return ScoredToken(token_id, score.logprob, score.rank, top)
