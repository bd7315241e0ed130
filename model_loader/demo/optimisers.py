"""Two optimisers and one schedule: Muon for matrices inside layers, AdamW for everything else."""

from typing import Any

import torch
from torch import nn

from model_loader.demo.muon import Muon

WARM_UP_STEPS = 40
MATRIX_RATE, OTHER_RATE = 0.02, 3e-3
DECAY_FROM, SMALLEST_SHARE = 0.55, 0.02
LARGEST_NORM = 1.0


class Optimisers:
    """Steps all parameters of a network; rates warm up, stay, then fall linearly."""

    def __init__(self, network: nn.Module) -> None:
        self._parameters = list(network.parameters())
        named = list(network.named_parameters())
        matrices = [value for name, value in named if value.ndim == 2 and "embed" not in name]
        inside = {id(matrix) for matrix in matrices}
        others = [value for value in self._parameters if id(value) not in inside]
        self._muon = Muon(matrices)
        self._adam = torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0)

    def step(self, progress: float, steps: int) -> None:
        """Apply the gradients and clear them; progress from 0 to 1, steps counted from 0."""
        share = min(1.0, (steps + 1) / WARM_UP_STEPS) * _decayed(progress)
        nn.utils.clip_grad_norm_(self._parameters, LARGEST_NORM)
        self._muon.step(MATRIX_RATE * share)
        self._adam.param_groups[0]["lr"] = OTHER_RATE * share
        self._adam.step()
        for parameter in self._parameters:
            parameter.grad = None

    def state(self) -> dict[str, Any]:
        """What `load_state` needs."""
        return {"momenta": self._muon.momenta, "adam": self._adam.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        for momentum, saved in zip(self._muon.momenta, state["momenta"], strict=True):
            momentum.copy_(saved)
        self._adam.load_state_dict(state["adam"])


def _decayed(progress: float) -> float:
    return min(1.0, max(SMALLEST_SHARE, (1 - progress) / (1 - DECAY_FROM)))
