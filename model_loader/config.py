"""The shape and multipliers of one dense Granite 4 hybrid. Knows no tensors."""

from dataclasses import dataclass
from typing import Literal

LayerType = Literal["mamba", "attention"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Names follow `config.json`; derived sizes are properties.

    `time_step_limit` clamps dt after softplus; (0, inf) is no clamp.
    """

    vocab_size: int
    hidden_size: int
    layer_types: tuple[LayerType, ...]
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    shared_intermediate_size: int
    mamba_n_heads: int
    mamba_d_head: int
    mamba_d_state: int
    mamba_n_groups: int
    mamba_d_conv: int
    embedding_multiplier: float
    logits_scaling: float
    residual_multiplier: float
    attention_multiplier: float
    rms_norm_eps: float
    max_position_embeddings: int
    eos_token_ids: tuple[int, ...]
    bos_token_id: int | None = None
    pad_token_id: int | None = None
    time_step_limit: tuple[float, float] = (0.0, float("inf"))

    @property
    def num_layers(self) -> int:
        return len(self.layer_types)

    @property
    def num_mamba_layers(self) -> int:
        return self.layer_types.count("mamba")

    @property
    def num_attention_layers(self) -> int:
        return self.layer_types.count("attention")

    @property
    def mamba_intermediate_size(self) -> int:
        return self.mamba_n_heads * self.mamba_d_head

    @property
    def conv_dim(self) -> int:
        """Channels of the causal convolution: x, then B and C of every group."""
        return self.mamba_intermediate_size + 2 * self.mamba_n_groups * self.mamba_d_state
