"""Values that the task generators share: exchanges, dialogues and the train/held-out split.

Does not know any task, the chat template or the tokenizer.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

Slots = TypeVar("Slots")
Split = Literal["train", "held_out"]
Message = dict[str, object]

HELD_OUT_SHARE = 8  # one value in eight is never trained on


@dataclass(frozen=True, slots=True)
class Exchange:
    """Messages that begin with the user and end with an answer of the assistant."""

    skill: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A whole conversation; `skill` is the one its last answer shows."""

    skill: str
    messages: tuple[Message, ...]
    tools: tuple[Message, ...] = ()


def ask(skill: str, user: str, answer: str) -> Exchange:
    """An exchange of one question and one answer in text."""
    return Exchange(
        skill, ({"role": "user", "content": user}, {"role": "assistant", "content": answer})
    )


def split_of(skill: str, slots: object) -> Split:
    """The side a task's slot values belong to: a hash, so it is the same in every run."""
    digest = hashlib.blake2b(f"{skill}|{slots}".encode(), digest_size=4).digest()
    return "held_out" if int.from_bytes(digest) % HELD_OUT_SHARE == 0 else "train"


def draw(
    rng: random.Random, skill: str, split: Split, sample: Callable[[random.Random], Slots]
) -> Slots:
    """Slot values from `sample` that belong to `split`."""
    while True:
        slots = sample(rng)
        if split_of(skill, slots) == split:
            return slots
