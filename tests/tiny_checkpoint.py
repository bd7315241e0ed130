"""Small random checkpoints in the published file format, and the reference network over them."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import GraniteMoeHybridConfig, GraniteMoeHybridForCausalLM


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyShape:
    """`layers` spells one layer a letter: M for Mamba, A for attention."""

    vocab_size: int = 352
    hidden_size: int = 64
    layers: str = "MMAM"
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    mamba_n_heads: int = 8
    mamba_n_groups: int = 1
    mamba_d_state: int = 16
    mamba_d_conv: int = 4
    shared_intermediate_size: int = 128
    eos_token_id: int = 257

    def published_config(self) -> dict[str, Any]:
        """What `config.json` holds: the published names of layers, and no `time_step_limit`."""
        return {
            "architectures": ["GraniteMoeHybridForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "attention_multiplier": 0.25,
            "bos_token_id": self.eos_token_id,
            "embedding_multiplier": 12,
            "eos_token_id": self.eos_token_id,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "initializer_range": 0.1,
            "intermediate_size": self.shared_intermediate_size,
            "layer_types": ["mamba" if letter == "M" else "attention" for letter in self.layers],
            "logits_scaling": 2,
            "mamba_chunk_size": 256,
            "mamba_conv_bias": True,
            "mamba_d_conv": self.mamba_d_conv,
            "mamba_d_head": 2 * self.hidden_size // self.mamba_n_heads,
            "mamba_d_state": self.mamba_d_state,
            "mamba_expand": 2,
            "mamba_n_groups": self.mamba_n_groups,
            "mamba_n_heads": self.mamba_n_heads,
            "mamba_proj_bias": False,
            "max_position_embeddings": 4096,
            "model_type": "granitemoehybrid",
            "normalization_function": "rmsnorm",
            "num_attention_heads": self.num_attention_heads,
            "num_experts_per_tok": 0,
            "num_hidden_layers": len(self.layers),
            "num_key_value_heads": self.num_key_value_heads,
            "num_local_experts": 0,
            "output_router_logits": False,
            "pad_token_id": self.eos_token_id - 1,
            "position_embedding_type": "nope",
            "residual_multiplier": 0.22,
            "rms_norm_eps": 1e-05,
            "rope_scaling": None,
            "rope_theta": 10000,
            "router_aux_loss_coef": 0.01,
            "shared_intermediate_size": self.shared_intermediate_size,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "transformers_version": "4.56.0",
            "use_cache": True,
            "vocab_size": self.vocab_size,
        }


def random_weights(
    shape: TinyShape, *, dtype: torch.dtype = torch.float32, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Every tensor by its published name; no parameter is left at a neutral value."""
    config = GraniteMoeHybridConfig(**shape.published_config())
    with torch.device("meta"):
        skeleton = GraniteMoeHybridForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    return {
        name: _random_parameter(name, parameter.shape, generator).to(dtype)
        for name, parameter in skeleton.named_parameters()
    }


def write_checkpoint(
    directory: Path,
    shape: TinyShape | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    num_shards: int = 1,
) -> Path:
    """Write config.json, generation_config.json and the weights; several shards add an index."""
    shape = shape or TinyShape()
    directory.mkdir(parents=True, exist_ok=True)
    config = shape.published_config()
    write_json(directory / "config.json", config)
    token_ids = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    write_json(directory / "generation_config.json", {"_from_model_config": True, **token_ids})
    weights = random_weights(shape, dtype=dtype, seed=seed)
    if num_shards == 1:
        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
        return directory
    weight_map: dict[str, str] = {}
    for number in range(num_shards):
        file_name = f"model-{number + 1:05}-of-{num_shards:05}.safetensors"
        names = sorted(weights)[number::num_shards]
        save_file({name: weights[name] for name in names}, directory / file_name)
        weight_map |= dict.fromkeys(names, file_name)
    write_json(
        directory / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map}
    )
    return directory


def load_oracle(directory: Path) -> GraniteMoeHybridForCausalLM:
    """The reference implementation over the checkpoint's weights, in fp32 on the CPU."""
    oracle = GraniteMoeHybridForCausalLM.from_pretrained(directory, dtype=torch.float32)
    assert isinstance(oracle, GraniteMoeHybridForCausalLM)
    oracle.train(False)
    return oracle


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def _random_parameter(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Ranges as after training: decays slow and fast, norms around 1, projections of unit gain."""
    uniform = torch.rand(shape, generator=generator)
    normal = torch.randn(shape, generator=generator)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "A_log":
        return (1 + 15 * uniform).log()
    if leaf == "dt_bias":
        return uniform * 5 - 4
    if leaf == "D" or "norm" in name:
        return 0.5 + uniform
    if leaf == "bias":
        return uniform - 0.5
    if "embed_tokens" in name:
        return normal * 0.1
    return normal / math.sqrt(shape[-1])
