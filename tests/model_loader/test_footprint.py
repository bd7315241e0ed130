"""Arithmetic on the configuration gives the bytes that torch really allocates."""

import dataclasses

import pytest
import torch

from kernels.torch_kernels import TorchKernels
from model_loader.config import LayerType, ModelConfig
from model_loader.footprint import DtypeName, num_parameters, page_bytes, slot_bytes
from model_loader.network import Network
from model_loader.state import HybridState

CONFIG = ModelConfig(
    vocab_size=100,
    hidden_size=48,
    layer_types=("mamba", "mamba", "attention"),
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=12,
    shared_intermediate_size=80,
    mamba_n_heads=6,
    mamba_d_head=16,
    mamba_d_state=24,
    mamba_n_groups=2,
    mamba_d_conv=4,
    embedding_multiplier=12.0,
    logits_scaling=8.0,
    residual_multiplier=0.22,
    attention_multiplier=0.25,
    rms_norm_eps=1e-5,
    max_position_embeddings=256,
    eos_token_ids=(1,),
)
DTYPES: dict[DtypeName, torch.dtype] = {"bf16": torch.bfloat16, "fp32": torch.float32}


def allocated_bytes(num_slots: int, num_pages: int, dtype: torch.dtype) -> int:
    state = HybridState(
        CONFIG,
        num_slots=num_slots,
        num_pages=num_pages,
        page_length=32,
        block_length=16,
        dtype=dtype,
        device=torch.device("meta"),
    )
    tensors = [value for value in vars(state).values() if isinstance(value, torch.Tensor)]
    return sum(tensor.nbytes for tensor in tensors)


@pytest.mark.parametrize("layers", [("mamba",), ("mamba", "attention", "mamba")])
def test_the_parameters_are_counted_as_the_network_has_them(layers: tuple[LayerType, ...]) -> None:
    config = dataclasses.replace(CONFIG, layer_types=layers)
    with torch.device("meta"):
        network = Network(config, TorchKernels())
    assert num_parameters(config) == sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("name", DTYPES)
def test_one_more_slot_or_page_costs_what_is_announced(name: DtypeName) -> None:
    dtype = DTYPES[name]
    base = allocated_bytes(1, 1, dtype)
    assert allocated_bytes(2, 1, dtype) - base == slot_bytes(CONFIG, 16, name)
    assert allocated_bytes(1, 2, dtype) - base == page_bytes(CONFIG, 32, name)
