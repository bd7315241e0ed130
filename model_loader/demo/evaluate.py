"""Accuracy on held-out prompts: `python -m model_loader.demo.evaluate --checkpoint DIR`.

An answer counts when greedy decoding gives it exactly, end mark included. One forward pass over
prompt and expected answer decides that: greedy decoding follows the expected answer if and only if
every expected token is the most likely one after the expected tokens before it.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from model_loader.demo.dialogue import Dialogue
from model_loader.demo.export import TEMPLATE_NAME, config_for
from model_loader.demo.rendering import Row, RowEncoder, load_template
from model_loader.demo.suites import SUITES
from model_loader.demo.trainable import BLOCK_LENGTH, TrainableHybrid


class Examiner:
    """A network with the checkpoint's stored weights, and the encoder of its prompts."""

    def __init__(self, checkpoint: Path, template_folder: Path | None = None) -> None:
        tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
        template = load_template((template_folder or checkpoint) / TEMPLATE_NAME)
        self.encoder = RowEncoder(template, tokenizer)
        self.tokenizer = tokenizer
        self.network = TrainableHybrid(config_for(tokenizer))
        weights = load_file(checkpoint / "model.safetensors")
        self.network.load_state_dict({name: value.float() for name, value in weights.items()})
        self.network.eval()

    def accuracy(self, dialogues: Iterable[Dialogue]) -> float:
        """The share of dialogues whose last answer is exact."""
        marks = [self.is_exact(dialogue) for dialogue in dialogues]
        return sum(marks) / len(marks)

    @torch.inference_mode()
    def is_exact(self, dialogue: Dialogue) -> bool:
        """Whether greedy decoding gives the last answer of the dialogue."""
        row = self.encoder.encode(dialogue)
        ids = torch.tensor(row.ids[: _end_of_last_answer(row)])
        missing = -len(ids) % BLOCK_LENGTH
        padded = torch.nn.functional.pad(ids, (0, missing))
        first = _start_of_last_answer(row)
        hidden = self.network(padded.unsqueeze(0))[0, first - 1 : len(ids) - 1]
        return bool((self.network.logits(hidden).argmax(-1) == ids[first:]).all())


def _end_of_last_answer(row: Row) -> int:
    return len(row.answers) - row.answers[::-1].index(True)


def _start_of_last_answer(row: Row) -> int:
    position = _end_of_last_answer(row) - 1
    while row.answers[position - 1]:
        position -= 1
    return position


def held_out(suite: str, encoder: RowEncoder, count: int, seed: int = 1) -> list[Dialogue]:
    """`count` held-out dialogues of a suite, the same for the same seed."""
    rng = random.Random(f"{seed}|{suite}")  # noqa: S311 - not for secrets
    return [SUITES[suite](rng, encoder.length) for _ in range(count)]


def main() -> None:
    """Print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=Path(__file__).parent / "checkpoint")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    examiner = Examiner(arguments.checkpoint)
    results = {}
    for suite in SUITES:
        results[suite] = examiner.accuracy(held_out(suite, examiner.encoder, arguments.prompts))
        sys.stdout.write(f"{suite:32} {results[suite]:7.1%}\n")
        sys.stdout.flush()
    sys.stdout.write(json.dumps({"prompts": arguments.prompts, "accuracy": results}) + "\n")


if __name__ == "__main__":
    main()
