"""The least that a step must move and compute, by arithmetic on the configuration."""

from benchmarks.step_driver import BLOCK_LENGTH, PAGE_LENGTH
from model_loader.config import ModelConfig
from model_loader.footprint import FP32_BYTES, DtypeName, page_bytes, slot_bytes


def decode_bytes(
    config: ModelConfig, weight_bytes: int, num_sequences: int, context: int, dtype: DtypeName
) -> float:
    """Bytes of one decode step of `num_sequences` sequences that hold `context` tokens each.

    Every weight is read once. Of each sequence, the whole recurrent state and the K/V rows are read
    once; the boundary states are read and written once more every BLOCK_LENGTH steps, which counts
    here as a share of each step. Activations stay in caches and count nothing.
    """
    boundary = config.mamba_intermediate_size * config.mamba_d_state * FP32_BYTES
    fold = 2 * config.num_mamba_layers * boundary / BLOCK_LENGTH
    keys_and_values = page_bytes(config, PAGE_LENGTH, dtype) / PAGE_LENGTH * context
    state = slot_bytes(config, BLOCK_LENGTH, dtype)
    return weight_bytes + num_sequences * (state + fold + keys_and_values)


def prefill_operations(config: ModelConfig, num_parameters: int, num_rows: int) -> float:
    """Multiplications and additions of the linear layers for `num_rows` rows of one prompt.

    The last row alone needs the head, and what comes after the mixer in the last layer. State space
    and attention, a few percent at this length, are left out.
    """
    once = config.vocab_size * config.hidden_size + _after_last_mixer(config)
    return 2.0 * (num_rows * (num_parameters - once) + once)


def _after_last_mixer(config: ModelConfig) -> int:
    """Parameters of the linear layers that follow the last state, or the last keys and values."""
    if config.layer_types[-1] == "mamba":
        mixed = config.mamba_intermediate_size
    else:
        mixed = config.num_attention_heads * config.head_dim
    return config.hidden_size * (mixed + 3 * config.shared_intermediate_size)
