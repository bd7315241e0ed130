"""Trains the demo checkpoint: `python -m model_loader.demo.train --out DIR --minutes N`.

Writes DIR/tokenizer.json once and DIR/training.pt every few minutes; a run that finds
DIR/training.pt goes on from it.
"""

import argparse
import logging
import random
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from model_loader.demo.batches import Batch, choose_kind, make_batch
from model_loader.demo.export import config_for
from model_loader.demo.initialise import initialise
from model_loader.demo.optimisers import Optimisers
from model_loader.demo.rendering import RowEncoder, load_template
from model_loader.demo.tokenizer import demo_tokenizer
from model_loader.demo.trainable import TrainableHybrid

TEMPLATE = Path(__file__).parent / "checkpoint" / "chat_template.jinja"
SECONDS_BETWEEN_SAVES = 120
STEPS_BETWEEN_REPORTS = 25
log = logging.getLogger(__name__)


class Trainer:
    """The state of one run: weights, optimisers, random source, seconds spent."""

    def __init__(self, out: Path, tokenizer: Tokenizer, seconds: float, seed: int) -> None:
        self._encoder = RowEncoder(load_template(TEMPLATE), tokenizer)
        self._pad = tokenizer.encode("<|pad|>").ids[0]
        self._out, self._seconds = out, seconds
        self._rng = random.Random(seed)  # noqa: S311 - not for secrets
        self._network = TrainableHybrid(config_for(tokenizer))
        initialise(self._network, tokenizer, seed)
        self._optimisers = Optimisers(self._network)
        self._spent, self._steps = 0.0, 0

    def resume(self) -> None:
        """Go on from the last save, if there is one."""
        path = self._out / "training.pt"
        if path.exists():
            saved = torch.load(path, weights_only=True)
            self._network.load_state_dict(saved["network"])
            self._optimisers.load_state(saved["optimisers"])
            self._spent, self._steps = saved["spent"], saved["steps"]
            self._rng.seed(self._steps)

    def run(self) -> None:
        """Train until the time is used up; progress follows the time spent."""
        forward = torch.compile(self._network, dynamic=False)
        started, saved_at, recent = time.monotonic() - self._spent, self._spent, 0.0
        while self._spent < self._seconds:
            progress = self._spent / self._seconds
            kind = choose_kind(self._rng, progress)
            batch = make_batch(self._rng, kind, self._encoder, self._pad)
            loss = answer_loss(self._network, forward(batch.inputs), batch)
            torch.autograd.backward(loss)
            self._optimisers.step(progress, self._steps)
            self._steps += 1
            self._spent = time.monotonic() - started
            recent += (loss.item() - recent) * 0.05
            if self._steps % STEPS_BETWEEN_REPORTS == 0:
                log.info("step %d, %.0f s, loss %.4f", self._steps, self._spent, recent)
            if self._spent - saved_at > SECONDS_BETWEEN_SAVES:
                self.save()
                saved_at = self._spent
        self.save()

    def save(self) -> None:
        """Write everything a later run needs; the old file stays until the new one is whole."""
        state = {
            "network": self._network.state_dict(),
            "optimisers": self._optimisers.state(),
            "spent": self._spent,
            "steps": self._steps,
        }
        partial = self._out / "training.part"
        torch.save(state, partial)
        partial.replace(self._out / "training.pt")


def answer_loss(network: TrainableHybrid, hidden: Tensor, batch: Batch) -> Tensor:
    """Weighted mean cross-entropy over the answer tokens; only their logits are computed.

    Zero for a batch whose answers were all cut off.
    """
    scored = batch.weights > 0
    logits = network.logits(hidden[scored])  # (answers, vocab)
    losses = functional.cross_entropy(logits, batch.targets[scored], reduction="none")
    weights = batch.weights[scored]
    return (losses * weights).sum() / weights.sum().clamp_min(1.0)


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=67.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)  # tiny gradients otherwise slow matrix products tenfold
    arguments.out.mkdir(parents=True, exist_ok=True)
    tokenizer = demo_tokenizer(arguments.out / "tokenizer.json", TEMPLATE)
    trainer = Trainer(arguments.out, tokenizer, arguments.minutes * 60, arguments.seed)
    trainer.resume()
    trainer.run()


if __name__ == "__main__":
    main()
