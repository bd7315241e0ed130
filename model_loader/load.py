"""From a checkpoint directory to a network that computes."""

from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import (  # type: ignore[import-untyped]  # the library has no types
    init_empty_weights,
)

from model_loader.config import ModelConfig, read_config
from model_loader.network import Network
from model_loader.weights import Progress, load_weights


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """`weight_bytes` is the memory of all parameters on their device."""

    config: ModelConfig
    network: Network
    num_parameters: int
    weight_bytes: int


def load_model(
    directory: Path, dtype: torch.dtype, device: torch.device, progress: Progress
) -> LoadedModel:
    """Build the network without memory, then stream the weights into it tensor by tensor.

    Weights are converted to `dtype` (bfloat16 or float32), except the few that are always fp32.
    `progress` gets rising numbers up to 1.

    Raises:
        UnsupportedConfig: `config.json` cannot be used.
        CorruptWeights: the weights are not whole, finite and those of this configuration.
    """
    config = read_config(directory)
    with init_empty_weights():
        network = Network(config)
    load_weights(network, directory, dtype=dtype, device=device, progress=progress)
    parameters = list(network.parameters())
    return LoadedModel(
        config=config,
        network=network,
        num_parameters=sum(parameter.numel() for parameter in parameters),
        weight_bytes=sum(parameter.nbytes for parameter in parameters),
    )
