"""From a checkpoint directory to a network that computes."""

from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import (  # type: ignore[import-untyped]  # the library has no types
    init_empty_weights,
)

from kernels.interface import Kernels
from kernels.torch_kernels import TorchKernels
from model_loader.config import ModelConfig, read_config
from model_loader.footprint import Quantization
from model_loader.network import Network
from model_loader.projection import Projection
from model_loader.weights import Progress, load_weights


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """`weight_bytes` is the memory of all parameters on their device."""

    config: ModelConfig
    network: Network
    activation_dtype: torch.dtype
    num_parameters: int
    weight_bytes: int


def load_model(
    directory: Path,
    dtype: torch.dtype,
    device: torch.device,
    progress: Progress,
    *,
    kernels: Kernels | None = None,
    quantization: Quantization = "none",
    keeps_packed: bool = False,
) -> LoadedModel:
    """Build the network without memory, then stream the weights into it tensor by tensor.

    Weights are converted to `dtype` (bfloat16 or float32) or quantised; with native kernels
    everything else, and all activations, are fp32. `keeps_packed` leaves the packed weights beside
    the checkpoint for the next start. `progress` gets rising numbers up to 1.

    Raises:
        UnsupportedConfig: `config.json` cannot be used.
        CorruptWeights: the weights are not whole, finite and those of this configuration.
    """
    kernels = kernels or TorchKernels()
    needs_fp32 = kernels.is_native or quantization != "none"
    activation_dtype = torch.float32 if needs_fp32 else dtype
    config = read_config(directory)
    with init_empty_weights():
        network = Network(
            config,
            kernels,
            quantization=quantization,
            packs_bf16=kernels.is_native and dtype == torch.bfloat16,
        )
    num_parameters = sum(parameter.numel() for parameter in network.parameters())
    load_weights(
        network,
        directory,
        dtype=dtype,
        activation_dtype=activation_dtype,
        device=device,
        progress=progress,
        cache_form=_form(dtype, quantization) if keeps_packed else None,
    )
    return LoadedModel(
        config=config,
        network=network,
        activation_dtype=activation_dtype,
        num_parameters=num_parameters,
        weight_bytes=_weight_bytes(network),
    )


def _form(dtype: torch.dtype, quantization: Quantization) -> str:
    return quantization if quantization != "none" else str(dtype).removeprefix("torch.")


def _weight_bytes(network: Network) -> int:
    projections = [module for module in network.modules() if isinstance(module, Projection)]
    plain = sum(parameter.nbytes for parameter in network.parameters())
    return plain + sum(part.data.nbytes for each in projections for part in each.parts)
