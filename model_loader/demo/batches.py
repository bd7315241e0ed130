"""Training batches: rows of one length, padded on the right, with the answers marked."""

import itertools
import random
from dataclasses import dataclass

import torch
from torch import Tensor

from model_loader.demo.corpus import Mix, training_dialogue
from model_loader.demo.rendering import RowEncoder


@dataclass(frozen=True, slots=True)
class Batch:
    """All (rows, tokens): inputs and targets int64, weights float32, zero outside answers."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor


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
TEXT = BatchKind(8, Mix(256, most_count_steps=20, tool_dialogues=0.0))
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
    long_share = 0.0 if progress < 0.45 else 0.15 if progress < 0.7 else 0.27
    return rng.choices((TEXT, TOOLS, LONG), weights=(0.74 - long_share, 0.26, long_share))[0]


def make_batch(rng: random.Random, kind: BatchKind, encoder: RowEncoder, pad_id: int) -> Batch:
    """One batch of fresh dialogues; rows that are too long are cut."""
    tokens = kind.mix.tokens
    ids = torch.full((kind.rows, tokens + 1), pad_id, dtype=torch.long)
    weights = torch.zeros(kind.rows, tokens + 1)
    for index in range(kind.rows):
        row = encoder.encode(training_dialogue(rng, kind.mix, encoder.length))
        size = min(len(row.ids), tokens + 1)
        ids[index, :size] = torch.tensor(row.ids[:size])
        weights[index, :size] = torch.tensor(answer_weights(row.answers)[:size])
    return Batch(ids[:, :-1], ids[:, 1:], weights[:, 1:])


def answer_weights(answers: list[bool]) -> list[float]:
    """The weight of each token: 1 / sqrt(length) of its answer, so that short answers count."""
    weights: list[float] = []
    for inside, run in itertools.groupby(answers):
        length = len(list(run))
        weights += [length**-0.5 if inside else 0.0] * length
    return weights
