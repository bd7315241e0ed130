"""Paged attention against softmax attention written out, in any chunking and page order."""

import math

import pytest
import torch
from torch import Tensor

from kernels.attention import paged_attention

PAGE, KV_HEADS, HEAD_DIM, HEADS = 32, 2, 8, 6
SCALE = 0.125


def paged(rows: Tensor, pages: list[int], fill: float = 0.0) -> Tensor:
    stored = torch.full((max(pages) + 3, PAGE, KV_HEADS, HEAD_DIM), fill)
    for number, page in enumerate(pages):
        part = rows[number * PAGE : (number + 1) * PAGE]
        stored[page, : len(part)] = part
    return stored


def written_out(queries: Tensor, keys: Tensor, values: Tensor, start: int) -> Tensor:
    result = torch.zeros(queries.shape, dtype=torch.float64)
    for row in range(queries.shape[0]):
        for head in range(HEADS):
            kv_head = head * KV_HEADS // HEADS
            seen = keys[: start + row + 1, kv_head].double()
            scores = seen @ queries[row, head].double() * SCALE
            weights = torch.softmax(scores, 0)
            result[row, head] = weights @ values[: start + row + 1, kv_head].double()
    return result


@pytest.mark.parametrize(("start", "count"), [(0, 1), (0, 33), (15, 1), (16, 1), (31, 3), (40, 25)])
def test_rows_attend_to_everything_before_them(start: int, count: int) -> None:
    torch.manual_seed(start + count)
    length = start + count
    queries = torch.randn(count, HEADS, HEAD_DIM)
    keys, values = torch.randn(length, KV_HEADS, HEAD_DIM), torch.randn(length, KV_HEADS, HEAD_DIM)
    pages = list(range(math.ceil(length / PAGE), 0, -1))
    actual = paged_attention(
        queries, paged(keys, pages), paged(values, pages), torch.tensor(pages), start, SCALE
    )
    expected = written_out(queries, keys, values, start)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)


def test_any_chunking_and_any_pages_give_the_same_bits() -> None:
    torch.manual_seed(1)
    length = 70
    queries = torch.randn(length, HEADS, HEAD_DIM)
    keys, values = torch.randn(length, KV_HEADS, HEAD_DIM), torch.randn(length, KV_HEADS, HEAD_DIM)
    first, second = [0, 1, 2], [5, 2, 9]
    whole = paged_attention(
        queries, paged(keys, first), paged(values, first), torch.tensor(first), 0, SCALE
    )
    for cut in ([1] * 70, [17, 3, 50], [64, 6]):
        done = 0
        for count in cut:
            used = torch.tensor(second[: math.ceil((done + count) / PAGE)])
            part = paged_attention(
                queries[done : done + count],
                paged(keys, second, fill=3.0),
                paged(values, second, fill=3.0),
                used,
                done,
                SCALE,
            )
            assert torch.equal(part, whole[done : done + count])
            done += count
