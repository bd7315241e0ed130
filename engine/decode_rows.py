"""How many rows of one step each decoding sequence gets. Knows no memory."""

from collections.abc import Iterable, Iterator

from engine.sequence import Sequence


def decode_rows(decoding: Iterable[Sequence], limit: int) -> Iterator[tuple[Sequence, int]]:
    """Whoever waits longest first, all its rows, until `limit` of them are given away."""
    for sequence in sorted(decoding, key=lambda sequence: sequence.last_step):
        rows = min(sequence.num_remaining, limit)
        if rows == 0:
            return
        limit -= rows
        yield sequence, rows
