"""Takes a drawn token, and those that a grammar makes follow it, into its sequence."""

from collections.abc import Iterator

from engine.errors import GrammarFailed
from engine.request import ChoiceEnded, FinishReason, TokenEvent
from engine.sequence import MOST_DECODE_ROWS, Sequence, finish_reason
from engine.step import NewToken
from sampling.grammar_matcher import GrammarStuck


def append_drawn(
    sequence: Sequence, drawn: NewToken, eos_token_ids: frozenset[int], context_length: int
) -> Iterator[TokenEvent | ChoiceEnded]:
    """One event per token, until one of them ends the sequence; none where no token is wanted.

    Forced tokens beyond those that one step can compute are left for the next ones. Where
    log-probabilities are wanted, all are drawn one by one: the same ids, but each with its logits.

    Raises:
        GrammarFailed: the sequence cannot go on.
    """
    if sequence.request.sampling.max_tokens == 0:
        yield ChoiceEnded(sequence.choice, FinishReason.LENGTH)
        return
    yield _append(sequence, drawn, eos_token_ids, context_length)
    if sequence.matcher is None or sequence.request.sampling.logprobs is not None:
        return
    for _ in range(MOST_DECODE_ROWS - 1):
        forced_id = sequence.matcher.forced_id
        if forced_id is None:
            return
        yield _append(sequence, NewToken(token_id=forced_id), eos_token_ids, context_length)


def _append(
    sequence: Sequence, token: NewToken, eos_token_ids: frozenset[int], context_length: int
) -> TokenEvent:
    try:
        sequence.append(token.token_id)
    except GrammarStuck as error:
        reason = str(error).partition("\n")[0]
        message = f"the reply cannot go on as its grammar demands: {reason}"
        raise GrammarFailed(message) from error
    return TokenEvent(
        choice=sequence.choice,
        token_id=token.token_id,
        logprob=token.logprob,
        top_logprobs=token.top_logprobs,
        finish_reason=finish_reason(sequence, eos_token_ids, context_length),
    )
