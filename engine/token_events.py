"""Takes tokens into their sequence: drawn ones, and those that a grammar makes follow."""

from collections.abc import Iterator

from engine.errors import GrammarFailed
from engine.grammars.interface import Matcher
from engine.request import ChoiceEnded, FinishReason, TokenEvent
from engine.sequence import MOST_DECODE_ROWS, Sequence, finish_reason
from engine.step import NewToken
from sampling.grammar_matcher import GrammarStuck

ReplyEvents = Iterator[TokenEvent | ChoiceEnded]


def foresee(sequence: Sequence, eos_token_ids: frozenset[int], context_length: int) -> None:
    """Add what the grammar forces from the start to what is read first, up to an end of the reply.

    Not where log-probabilities are wanted, which come from a step of each token's own.
    """
    request, matcher = sequence.request, sequence.matcher
    if matcher is None or not _may_skip_steps(sequence) or request.prompt_logprobs is not None:
        return
    ends = eos_token_ids.union(request.sampling.stop_token_ids)
    longest = min(sequence.max_length, context_length) - 1
    while len(sequence.tokens) < longest:
        forced_id = matcher.forced_id
        if forced_id is None or forced_id in ends:
            break
        sequence.append(forced_id)
    sequence.num_untold = sequence.num_generated


def append_drawn(
    sequence: Sequence, drawn: NewToken, eos_token_ids: frozenset[int], context_length: int
) -> ReplyEvents:
    """The events of a drawn token and of those foreseen before it; none where none is wanted.

    Raises:
        GrammarFailed: the grammar does not allow it.
    """
    if sequence.request.sampling.max_tokens == 0:
        yield ChoiceEnded(sequence.choice, FinishReason.LENGTH)
        return
    first = len(sequence.request.prompt_ids)
    for token_id in sequence.tokens[first : first + sequence.num_untold]:
        yield TokenEvent(choice=sequence.choice, token_id=token_id)
    sequence.num_untold = 0
    yield _append(sequence, drawn, eos_token_ids, context_length)


def append_forced(
    sequence: Sequence, eos_token_ids: frozenset[int], context_length: int
) -> ReplyEvents:
    """One event for each token that is known to follow without a choice, until one ends the reply.

    Those beyond what one step can compute are left for the next ones. Where log-probabilities are
    wanted, all are drawn one by one: the same ids, but each with its logits.

    Raises:
        GrammarFailed: the sequence cannot go on.
    """
    matcher = sequence.matcher
    if matcher is None:
        return
    sequence.is_ready = _look(matcher)
    if not (sequence.has_begun and _may_skip_steps(sequence)):
        return
    while sequence.is_ready and sequence.num_unread < MOST_DECODE_ROWS:
        if (forced_id := matcher.forced_id) is None:
            return
        yield _append(sequence, NewToken(token_id=forced_id), eos_token_ids, context_length)
        sequence.is_ready = _look(matcher)


def _may_skip_steps(sequence: Sequence) -> bool:
    return sequence.request.sampling.logprobs is None


def _look(matcher: Matcher) -> bool:
    try:
        return matcher.look()
    except GrammarStuck as error:
        raise _failure(error) from error


def _append(
    sequence: Sequence, token: NewToken, eos_token_ids: frozenset[int], context_length: int
) -> TokenEvent:
    try:
        sequence.append(token.token_id)
    except GrammarStuck as error:
        raise _failure(error) from error
    return TokenEvent(
        choice=sequence.choice,
        token_id=token.token_id,
        logprob=token.logprob,
        top_logprobs=token.top_logprobs,
        finish_reason=finish_reason(sequence, eos_token_ids, context_length),
    )


def _failure(error: GrammarStuck) -> GrammarFailed:
    reason = str(error).partition("\n")[0]
    return GrammarFailed(f"the reply cannot go on as its grammar demands: {reason}")
