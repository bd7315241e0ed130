"""Training batches: rows of one length, padded on the right, with the answers marked."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from model_loader.demo.corpus import Mix, training_dialogue
from model_loader.demo.rendering import RowEncoder


@dataclass(frozen=True, slots=True)
class Batch:
    """All (rows, tokens): inputs and targets int64, `scored` bool marks the answer targets."""

    inputs: Tensor
    targets: Tensor
    scored: Tensor


@dataclass(frozen=True, slots=True)
class BatchKind:
    """How many rows of which mix make a batch."""

    rows: int
    mix: Mix


FIRST_MIX = Mix(
    64,
    most_echo_words=4,
    echo=0.75,
    recall=0.15,
    arithmetic=0.1,
    counting=0.0,
    extraction=0.0,
    greeting=0.0,
    fallback=0.0,
    tool_dialogues=0.0,
)
FIRST = BatchKind(32, FIRST_MIX)
SECOND = BatchKind(16, Mix(128, most_echo_words=8, most_count_steps=12, tool_dialogues=0.0))
TEXT = BatchKind(8, Mix(256, tool_dialogues=0.0))
TOOLS = BatchKind(4, Mix(512, tool_dialogues=0.75, most_count_steps=60))
LONG = BatchKind(2, Mix(1536, tool_dialogues=0.1, most_count_steps=120, long_recall_dialogues=0.8))


def choose_kind(rng: random.Random, progress: float) -> BatchKind:
    """The curriculum; progress runs from 0 to 1.

    Short rows first: copying is found within minutes when attention has few places to look at,
    and hardly at all in rows of 256 tokens. Long rows come in the second half.
    """
    if progress < 0.08:
        return FIRST
    if progress < 0.16:
        return SECOND
    long_share = 0.0 if progress < 0.45 else 0.15 if progress < 0.75 else 0.3
    return rng.choices((TEXT, TOOLS, LONG), weights=(0.7 - long_share, 0.3, long_share))[0]


def make_batch(rng: random.Random, kind: BatchKind, encoder: RowEncoder, pad_id: int) -> Batch:
    """One batch of fresh dialogues; rows that are too long are cut."""
    tokens = kind.mix.tokens
    ids = torch.full((kind.rows, tokens + 1), pad_id, dtype=torch.long)
    answers = torch.zeros(kind.rows, tokens + 1, dtype=torch.bool)
    for index in range(kind.rows):
        row = encoder.encode(training_dialogue(rng, kind.mix, encoder.length))
        size = min(len(row.ids), tokens + 1)
        ids[index, :size] = torch.tensor(row.ids[:size])
        answers[index, :size] = torch.tensor(row.answers[:size])
    return Batch(ids[:, :-1], ids[:, 1:], answers[:, 1:])
