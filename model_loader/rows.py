"""One step's work as flat rows: which tokens of which sequences go through the network together.

Decode rows and prefill rows share every linear layer; nothing is padded. Built once a step, read by
every layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from model_loader.state import StateLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Consecutive new rows of one sequence.

    `start` is the absolute position of the first row; `pages` cover positions 0 to the last row.
    Logits, if wanted, are those of the last row.
    """

    slot: int
    start: int
    token_ids: Sequence[int]
    pages: Sequence[int]
    wants_logits: bool

    @property
    def end(self) -> int:
        return self.start + len(self.token_ids)


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """A segment's place in the flat batch."""

    rows: slice
    slot: int
    start: int
    block_offset: int
    pages: Tensor  # (used_pages,) int64


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatBatch:
    """Index tensors of one step. R rows, S segments."""

    token_ids: Tensor  # (R,) int64
    segments: tuple[SegmentRows, ...]
    slots: Tensor  # (S,) int64
    conv_taps: Tensor  # (R, kernel) int64 into [windows of S slots, R rows]
    window_taps: Tensor  # (S, kernel - 1) int64 into the same: the windows after this step
    page_rows: Tensor  # (R,) int64 into the flattened pages: where each row's key and value go
    fresh_pages: Tensor  # pages whose first row is written in this step: what they held is cleared
    logit_rows: Tensor  # (wanted,) int64, in segment order

    @staticmethod
    def build(
        segments: Sequence[Segment], layout: StateLayout, device: torch.device
    ) -> "FlatBatch":
        """Lay out the segments in the given order.

        Raises:
            ValueError: a segment is empty, a slot appears twice, or pages do not cover a segment.
        """
        _check(segments, layout)
        lengths = [len(segment.token_ids) for segment in segments]
        first_rows = [0, *accumulate(lengths)]

        def index(values: list[int] | list[list[int]]) -> Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        placed = tuple(
            SegmentRows(
                slice(first, first + len(segment.token_ids)),
                segment.slot,
                segment.start,
                segment.start % layout.block_length,
                index(list(segment.pages[: -(-segment.end // layout.page_length)])),
            )
            for segment, first in zip(segments, first_rows, strict=False)
        )
        conv_taps, window_taps = _convolution_taps(lengths, first_rows, layout.conv_kernel)
        return FlatBatch(
            token_ids=index([token for segment in segments for token in segment.token_ids]),
            segments=placed,
            slots=index([segment.slot for segment in segments]),
            conv_taps=index(conv_taps),
            window_taps=index(window_taps).reshape(len(segments), layout.conv_kernel - 1),
            page_rows=index([row for segment in segments for row in _page_rows(segment, layout)]),
            fresh_pages=index(
                [page for segment in segments for page in _fresh_pages(segment, layout)]
            ),
            logit_rows=index(
                [p.rows.stop - 1 for p, s in zip(placed, segments, strict=True) if s.wants_logits]
            ),
        )


def _check(segments: Sequence[Segment], layout: StateLayout) -> None:
    if len({segment.slot for segment in segments}) != len(segments):
        raise ValueError("a slot appears in two segments of one step")
    for segment in segments:
        if not segment.token_ids:
            raise ValueError(f"the segment of slot {segment.slot} has no rows")
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


def _convolution_taps(
    lengths: list[int], first_rows: list[int], kernel: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Inputs of each row's convolution, and those each segment keeps for its next step."""
    kept = kernel - 1
    first_row_input = kept * len(lengths)
    conv_taps: list[list[int]] = []
    window_taps: list[list[int]] = []
    for number, (length, first_row) in enumerate(zip(lengths, first_rows, strict=False)):
        window = list(range(number * kept, (number + 1) * kept))
        own = range(first_row_input + first_row, first_row_input + first_row + length)
        inputs = [*window, *own]
        conv_taps += [inputs[row : row + kernel] for row in range(length)]
        window_taps.append(inputs[length:])
    return conv_taps, window_taps
