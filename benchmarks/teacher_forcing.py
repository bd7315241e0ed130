"""What a model expects after every token of given texts."""

from collections.abc import Sequence

import torch
from torch import Tensor

from model_loader.load import LoadedModel
from model_loader.rows import FlatBatch, Segment
from model_loader.state import HybridState

PIECE_ROWS = 256
PAGE_LENGTH, BLOCK_LENGTH = 64, 16
CPU = torch.device("cpu")


def log_probabilities(model: LoadedModel, texts: Sequence[Sequence[int]]) -> list[Tensor]:
    """For each text of token ids, (tokens, vocab) fp32: row i follows on the first i + 1 tokens."""
    num_pages = -(-max(map(len, texts)) // PAGE_LENGTH)
    state = HybridState(
        model.config,
        num_slots=1,
        num_pages=num_pages,
        page_length=PAGE_LENGTH,
        block_length=BLOCK_LENGTH,
        dtype=model.activation_dtype,
        device=CPU,
    )
    return [_of_one_text(model, state, ids) for ids in texts]


def _of_one_text(model: LoadedModel, state: HybridState, ids: Sequence[int]) -> Tensor:
    state.reset(0)
    pieces = []
    for start in range(0, len(ids), PIECE_ROWS):
        piece = ids[start : start + PIECE_ROWS]
        segment = Segment(
            slot=0,
            start=start,
            token_ids=piece,
            pages=range(-(-(start + len(piece)) // PAGE_LENGTH)),
            num_logits=len(piece),
        )
        batch = FlatBatch.build([segment], state.layout, CPU)
        pieces.append(model.network(batch, state).log_softmax(-1))
    return torch.cat(pieces)
