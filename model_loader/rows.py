"""One step's work as flat rows: which tokens of which sequences go through the network together.

Decode rows and prefill rows share every linear layer; nothing is padded. Built once a step, read by
every layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from kernels.interface import Span
from model_loader.state import StateLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Consecutive new rows of one sequence.

    `start` is the absolute position of the first row; `pages` cover positions 0 to the last row.
    Logits are wanted of the last `num_logits` rows.
    """

    slot: int
    start: int
    token_ids: Sequence[int]
    pages: Sequence[int]
    num_logits: int

    @property
    def end(self) -> int:
        return self.start + len(self.token_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatBatch:
    """Index tensors of one step. R rows."""

    token_ids: Tensor  # (R,) int64
    spans: tuple[Span, ...]
    page_rows: Tensor  # (R,) int64 into the flattened pages: where each row's key and value go
    fresh_pages: Tensor  # pages whose first row is written in this step: what they held is cleared
    logit_rows: Tensor  # (wanted,) int64, ascending: in segment order

    @staticmethod
    def build(
        segments: Sequence[Segment], layout: StateLayout, device: torch.device
    ) -> "FlatBatch":
        """Lay out the segments in the given order.

        Raises:
            ValueError: a segment is empty or wants logits of rows it does not have, a slot appears
                twice, or pages do not cover a segment.
        """
        _check(segments, layout)
        lengths = [len(segment.token_ids) for segment in segments]
        first_rows = [0, *accumulate(lengths)]

        def index(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        spans = tuple(
            Span(
                slice(first, first + length),
                segment.slot,
                segment.start,
                index(segment.pages[: -(-segment.end // layout.page_length)]),
            )
            for segment, first, length in zip(segments, first_rows, lengths, strict=False)
        )
        return FlatBatch(
            token_ids=index([token for segment in segments for token in segment.token_ids]),
            spans=spans,
            page_rows=index([row for segment in segments for row in _page_rows(segment, layout)]),
            fresh_pages=index([page for s in segments for page in _fresh_pages(s, layout)]),
            logit_rows=index(
                [
                    row
                    for span, segment in zip(spans, segments, strict=True)
                    for row in range(span.rows.stop - segment.num_logits, span.rows.stop)
                ]
            ),
        )


def _check(segments: Sequence[Segment], layout: StateLayout) -> None:
    if len({segment.slot for segment in segments}) != len(segments):
        raise ValueError("a slot appears in two segments of one step")
    for segment in segments:
        if not segment.token_ids:
            raise ValueError(f"the segment of slot {segment.slot} has no rows")
        if not 0 <= segment.num_logits <= len(segment.token_ids):
            raise ValueError(f"the segment of slot {segment.slot} wants more logits than rows")
        if len(segment.pages) * layout.page_length < segment.end:
            raise ValueError(f"the pages of slot {segment.slot} end before position {segment.end}")


def _page_rows(segment: Segment, layout: StateLayout) -> list[int]:
    """Row numbers in the flattened pages of a segment's positions."""
    length = layout.page_length
    return [
        segment.pages[position // length] * length + position % length
        for position in range(segment.start, segment.end)
    ]


def _fresh_pages(segment: Segment, layout: StateLayout) -> Sequence[int]:
    length = layout.page_length
    return segment.pages[-(-segment.start // length) : -(-segment.end // length)]
