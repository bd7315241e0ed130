"""How many rows of one step each prompt gets. Knows no memory: that is the scheduler's affair."""

from collections.abc import Iterator, Sequence

from engine.fairness import share_rows
from engine.sequence import Line
from engine.sequence import Sequence as TokenSequence

MAX_SCORED_ROWS = 64
"""Rows of a step that may have logits only to score a prompt: 400 KB each with 100,352 tokens."""


def prompt_rows(
    sequences: Sequence[TokenSequence], budget: int
) -> Iterator[tuple[TokenSequence, int]]:
    """Each sequence and its share of `budget`, possibly 0; clients share evenly, in given order.

    Those of the background share what the others leave.
    """
    demands: dict[Line, int] = {}
    for sequence in sequences:
        demands[sequence.line] = demands.get(sequence.line, 0) + sequence.num_remaining
    shares: dict[Line, int] = {}
    for is_background in (False, True):
        group = {line: rows for line, rows in demands.items() if line[0] is is_background}
        shares |= share_rows(group, budget - sum(shares.values()))
    num_scorable = MAX_SCORED_ROWS
    for sequence in sequences:
        rows = min(sequence.num_remaining, shares[sequence.line])
        if sequence.num_unscored:
            rows = min(rows, num_scorable)
            num_scorable -= rows
        shares[sequence.line] -= rows
        yield sequence, rows
