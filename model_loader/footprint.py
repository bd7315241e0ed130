"""Bytes a model and its sequences take, by arithmetic on the configuration alone. Imports no torch,
so that the program can size itself before the worker exists.
"""

from dataclasses import dataclass
from typing import Literal

from model_loader.config import ModelConfig

DtypeName = Literal["bf16", "fp32"]
Quantization = Literal["none", "int8", "int4"]
ITEM_BYTES: dict[DtypeName, int] = {"bf16": 2, "fp32": 4}
FP32_BYTES = 4
INT8_BYTES = 8.5 / 8
"""Of one weight, with its share of a 16-bit scale for 32 of them."""
INT4_BYTES = 4.5 / 8
INT4_LAYERS = frozenset({"input_linear", "output_linear", "out_proj"})
"""What `int4` stores in 4 bits as a whole; of `in_proj`, it stores some rows so."""


@dataclass(frozen=True, slots=True)
class Precision:
    """How weights are stored and in what activations and state are kept."""

    dtype: DtypeName
    quantization: Quantization = "none"
    is_native: bool = False

    @property
    def activations(self) -> DtypeName:
        return "fp32" if self.is_native or self.quantization != "none" else self.dtype


def num_parameters(config: ModelConfig) -> int:
    """Parameters of the network; the head is the embedding and counts once."""
    hidden, heads = config.hidden_size, config.mamba_n_heads
    inner, mlp = config.mamba_intermediate_size, config.shared_intermediate_size
    mamba = hidden * (inner + config.conv_dim + heads)  # in_proj
    mamba += config.conv_dim * (config.mamba_d_conv + 1) + 3 * heads  # conv1d; dt_bias, A_log, D
    mamba += inner + inner * hidden  # norm, out_proj
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    attention = 2 * hidden * (queries + keys)  # q and o, k and v
    every_layer = 3 * hidden * mlp + 2 * hidden  # MLP, two norms
    return (
        config.vocab_size * hidden
        + hidden
        + config.num_layers * every_layer
        + config.num_mamba_layers * mamba
        + config.num_attention_layers * attention
    )


def weight_bytes(config: ModelConfig, precision: Precision) -> int:
    """All parameters; those few that are never quantised are counted as if they were."""
    total = num_parameters(config)
    if precision.quantization == "none":
        return total * ITEM_BYTES[precision.dtype]
    in_int4 = 0 if precision.quantization == "int8" else _int4_parameters(config)
    return int(in_int4 * INT4_BYTES + (total - in_int4) * INT8_BYTES)


def int4_rows(config: ModelConfig, layer: str, out_features: int) -> int:
    """How many of a layer's output rows, from the first on, `int4` stores in 4 bits.

    Of the Mamba input projection those of the gate and of x; the few of B, C and dt steer all
    heads or are exponentiated. They stay at 8 bits, as do the head, where a clipped row is a wrong
    word, and attention, where most is lost for the fewest bytes.
    """
    if layer == "in_proj":
        return 2 * config.mamba_intermediate_size
    return out_features if layer in INT4_LAYERS else 0


def _int4_parameters(config: ModelConfig) -> int:
    hidden, inner = config.hidden_size, config.mamba_intermediate_size
    mlp = config.num_layers * 3 * hidden * config.shared_intermediate_size
    return mlp + config.num_mamba_layers * (inner * hidden + 2 * inner * hidden)


def slot_bytes(config: ModelConfig, block_length: int, dtype: DtypeName) -> int:
    """Recurrent state of one sequence in all Mamba layers, as `model_loader.state` allocates it."""
    item = ITEM_BYTES[dtype]
    boundary = config.mamba_intermediate_size * config.mamba_d_state * FP32_BYTES
    ring_row = config.mamba_intermediate_size + config.mamba_n_groups * config.mamba_d_state
    ring = block_length * (ring_row * item + config.mamba_n_heads * FP32_BYTES)
    window = (config.mamba_d_conv - 1) * config.conv_dim * item
    return config.num_mamba_layers * (boundary + ring + window)


def page_bytes(config: ModelConfig, page_length: int, dtype: DtypeName) -> int:
    """Keys and values of `page_length` tokens in all attention layers."""
    row = 2 * config.num_key_value_heads * config.head_dim * ITEM_BYTES[dtype]
    return config.num_attention_layers * page_length * row
