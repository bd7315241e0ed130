"""How many rows of one step each prompt gets. Knows no memory: that is the scheduler's affair."""

from collections.abc import Iterator, Sequence

from engine.fairness import share_rows
from engine.sequence import Sequence as TokenSequence

MAX_SCORED_ROWS = 64
"""Rows of a step that may have logits only to score a prompt: 400 KB each with 100,352 tokens."""


def prompt_rows(
    sequences: Sequence[TokenSequence], budget: int
) -> Iterator[tuple[TokenSequence, int]]:
    """Each sequence and its share of `budget`, possibly 0; clients share evenly, in given order."""
    demands: dict[str, int] = {}
    for sequence in sequences:
        demands[sequence.client] = demands.get(sequence.client, 0) + sequence.num_remaining
    shares = share_rows(demands, budget)
    num_scorable = MAX_SCORED_ROWS
    for sequence in sequences:
        rows = min(sequence.num_remaining, shares[sequence.client])
        if sequence.num_unscored:
            rows = min(rows, num_scorable)
            num_scorable -= rows
        shares[sequence.client] -= rows
        yield sequence, rows
