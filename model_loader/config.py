"""The shape and multipliers of one dense Granite 4 hybrid, from `config.json`. Knows no tensors.

Whatever could change the mathematics and is not implemented is refused by name, never ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from model_loader.config_fields import ConfigFields
from model_loader.errors import UnsupportedConfig
from model_loader.json_file import read_json_object

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


MOST_LAYERS = 1024
MOST_TAPS = 8
"""Of the convolution: what the native kernels keep at hand."""

LAYER_TYPES: Mapping[object, LayerType] = {
    "mamba": "mamba",
    "linear_attention": "mamba",
    "attention": "attention",
    "full_attention": "attention",
}
"""The published names, and those that transformers 5 writes."""

IMPLEMENTED: Mapping[str, tuple[object, ...]] = {
    "model_type": ("granitemoehybrid",),
    "num_local_experts": (0,),
    "tie_word_embeddings": (True,),
    "architectures": (["GraniteMoeHybridForCausalLM"], None),
    "position_embedding_type": ("nope", None),
    "hidden_act": ("silu", None),
    "normalization_function": ("rmsnorm", None),
    "attention_bias": (False, None),
    "mamba_proj_bias": (False, None),
    "mamba_conv_bias": (True, None),
}
"""The values this program computes. None: the key may be missing, since its default is the other
value; where None is not listed, the default of `transformers` is not implemented here."""

READ_KEYS = frozenset(
    """
    vocab_size hidden_size num_hidden_layers layer_types layers_block_type num_attention_heads
    num_key_value_heads head_dim shared_intermediate_size mamba_expand mamba_n_heads mamba_d_head
    mamba_d_state mamba_n_groups mamba_d_conv embedding_multiplier logits_scaling
    residual_multiplier attention_multiplier rms_norm_eps max_position_embeddings eos_token_id
    bos_token_id pad_token_id time_step_limit
    """.split()
)
HARMLESS_KEYS = frozenset(
    """
    attention_dropout chunk_size_feed_forward dtype id2label init_method initializer_range
    intermediate_size is_encoder_decoder label2id mamba_chunk_size num_experts_per_tok
    output_attentions output_hidden_states output_router_logits problem_type return_dict
    rope_parameters rope_scaling rope_theta router_aux_loss_coef torch_dtype transformers_version
    unsloth_fixed unsloth_version use_cache _name_or_path
    """.split()
)
"""Training, bookkeeping, and what experts or rotary positions would use: without effect here."""


def read_config(directory: Path) -> ModelConfig:
    """Read `config.json`, and further end-of-turn ids from `generation_config.json` if it is there.

    Raises:
        UnsupportedConfig: unreadable, inconsistent, or asking for something not implemented.
    """
    values = read_json_object(directory / "config.json", UnsupportedConfig)
    _refuse_other_mathematics(values)
    fields = ConfigFields(values)
    hidden_size = fields.size("hidden_size")
    vocab_size = fields.size("vocab_size")
    num_attention_heads = fields.size("num_attention_heads")
    mamba_n_heads = fields.size("mamba_n_heads")
    mamba_width = fields.size("mamba_expand", 2) * hidden_size
    automatic_head = values.get("mamba_d_head") in (None, "auto")
    config = ModelConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        layer_types=_layer_types(fields),
        num_attention_heads=num_attention_heads,
        num_key_value_heads=fields.size("num_key_value_heads", num_attention_heads),
        head_dim=fields.size("head_dim", hidden_size // num_attention_heads),
        shared_intermediate_size=fields.size("shared_intermediate_size"),
        mamba_n_heads=mamba_n_heads,
        mamba_d_head=(
            mamba_width // mamba_n_heads if automatic_head else fields.size("mamba_d_head")
        ),
        mamba_d_state=fields.size("mamba_d_state"),
        mamba_n_groups=fields.size("mamba_n_groups", 1),
        mamba_d_conv=fields.size("mamba_d_conv", most=MOST_TAPS),
        embedding_multiplier=fields.positive("embedding_multiplier"),
        logits_scaling=fields.positive("logits_scaling"),
        residual_multiplier=fields.positive("residual_multiplier"),
        attention_multiplier=fields.positive("attention_multiplier"),
        rms_norm_eps=fields.positive("rms_norm_eps"),
        max_position_embeddings=fields.size("max_position_embeddings"),
        eos_token_ids=_eos_token_ids(directory, fields, vocab_size),
        bos_token_id=fields.token_id("bos_token_id", vocab_size),
        pad_token_id=fields.token_id("pad_token_id", vocab_size),
        time_step_limit=fields.interval("time_step_limit"),
    )
    _require_consistent_sizes(config, mamba_width, values.get("head_dim") is not None)
    return config


def _refuse_other_mathematics(values: Mapping[str, Any]) -> None:
    for key, implemented in IMPLEMENTED.items():
        value = values.get(key)
        if not any(value == known and type(value) is type(known) for known in implemented):
            supported = " or ".join(repr(known) for known in implemented if known is not None)
            raise UnsupportedConfig(
                f"config.json: {key} is {value!r}; this program implements {supported}"
            )
    unknown = sorted(values.keys() - IMPLEMENTED.keys() - READ_KEYS - HARMLESS_KEYS)
    if unknown:
        raise UnsupportedConfig(
            f"config.json: unknown key {unknown[0]!r} could change the mathematics"
        )


def _layer_types(fields: ConfigFields) -> tuple[LayerType, ...]:
    num_layers = fields.size("num_hidden_layers", most=MOST_LAYERS)
    key = "layer_types" if "layer_types" in fields.values else "layers_block_type"
    names = fields.values.get(key)
    if not isinstance(names, list) or len(names) != num_layers:
        raise UnsupportedConfig(
            f"config.json: {key} must list num_hidden_layers = {num_layers} names"
        )
    unknown = [name for name in names if not isinstance(name, str) or name not in LAYER_TYPES]
    if unknown:
        raise UnsupportedConfig(f"config.json: {key} has an unknown layer {unknown[0]!r}")
    return tuple(LAYER_TYPES[name] for name in names)


def _eos_token_ids(directory: Path, fields: ConfigFields, vocab_size: int) -> tuple[int, ...]:
    own = fields.token_ids("eos_token_id", vocab_size)
    path = directory / "generation_config.json"
    generation = read_json_object(path, UnsupportedConfig) if path.exists() else {}
    further = ConfigFields(generation).token_ids("eos_token_id", vocab_size)
    token_ids = tuple(dict.fromkeys(own + further))
    if not token_ids:
        raise UnsupportedConfig("config.json: eos_token_id is missing, so no reply would end")
    return token_ids


def _require_consistent_sizes(config: ModelConfig, mamba_width: int, has_head_dim: bool) -> None:
    for holds, reason in (
        (
            has_head_dim or config.hidden_size % config.num_attention_heads == 0,
            "num_attention_heads must divide hidden_size",
        ),
        (
            config.num_attention_heads % config.num_key_value_heads == 0,
            "num_key_value_heads must divide num_attention_heads",
        ),
        (
            config.mamba_intermediate_size == mamba_width,
            "mamba_n_heads x mamba_d_head must equal mamba_expand x hidden_size",
        ),
        (
            config.mamba_n_heads % config.mamba_n_groups == 0,
            "mamba_n_groups must divide mamba_n_heads",
        ),
    ):
        if not holds:
            raise UnsupportedConfig(f"config.json: {reason}")
