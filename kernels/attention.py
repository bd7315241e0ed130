"""Grouped-query attention of one sequence's new rows over its paged keys and values.

Knows no position encoding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

QUERY_TILE = 16
"""Queries per product, aligned to absolute positions: a row's float operations then depend on its
own position only, never on how the rows before and after it were grouped into steps."""


def paged_attention(
    queries: Tensor,
    key_pages: Tensor,
    value_pages: Tensor,
    pages: Tensor,
    start: int,
    scale: float,
) -> Tensor:
    """Causal softmax attention (Vaswani et al. 2017) of consecutive rows of one sequence.

    The keys and values of the rows themselves must already be in their pages.

    Args:
        queries: (num_rows, heads, head_dim), the rows at positions `start`, `start + 1`, ...
        key_pages, value_pages: (num_pages, page_length, kv_heads, head_dim); page_length is a
        multiple
            of QUERY_TILE.
        pages: (used_pages,) int64, the sequence's pages in order.
        scale: factor on the scores; replaces 1 / sqrt(head_dim).

    Returns:
        (num_rows, heads, head_dim).
    """
    keys = key_pages[pages].flatten(0, 1).transpose(0, 1)  # (kv_heads, used, head_dim)
    values = value_pages[pages].flatten(0, 1).transpose(0, 1)
    lead = start % QUERY_TILE
    tail = -(lead + queries.shape[0]) % QUERY_TILE
    tiles = torch.split(F.pad(queries, (0, 0, 0, 0, lead, tail)), QUERY_TILE)
    attended = [
        _attend_tile(tile, keys, values, start - lead + number * QUERY_TILE, scale)
        for number, tile in enumerate(tiles)
    ]
    return torch.cat(attended)[lead : lead + queries.shape[0]]


def _attend_tile(tile: Tensor, keys: Tensor, values: Tensor, first: int, scale: float) -> Tensor:
    """Attention of the queries at positions `first` to `first + QUERY_TILE - 1`."""
    length = first + QUERY_TILE
    mask = torch.ones(QUERY_TILE, length, dtype=torch.bool, device=tile.device).tril(first)
    attended = F.scaled_dot_product_attention(
        tile.transpose(0, 1)[None],
        keys[None, :, :length],
        values[None, :, :length],
        mask,
        scale=scale,
        enable_gqa=True,
    )
    return attended[0].transpose(0, 1)
