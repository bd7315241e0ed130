"""The size of the demo network, and its config.json with exactly the published keys."""

from model_loader.config import LayerType, ModelConfig

LAYER_PLAN: tuple[LayerType, ...] = ("mamba", "mamba", "attention", "mamba", "attention", "mamba")


def demo_config(vocab_size: int, eos_id: int, pad_id: int) -> ModelConfig:
    """Small, but with every multiplier different from one."""
    return ModelConfig(
        vocab_size=vocab_size,
        hidden_size=192,
        layer_types=LAYER_PLAN,
        num_attention_heads=6,
        num_key_value_heads=3,
        head_dim=32,
        shared_intermediate_size=384,
        mamba_n_heads=12,
        mamba_d_head=32,
        mamba_d_state=32,
        mamba_n_groups=1,
        mamba_d_conv=4,
        embedding_multiplier=12.0,
        logits_scaling=2.0,
        residual_multiplier=0.35,
        attention_multiplier=0.125,
        rms_norm_eps=1e-5,
        max_position_embeddings=4096,
        eos_token_ids=(eos_id,),
        bos_token_id=eos_id,
        pad_token_id=pad_id,
    )


def published_keys(config: ModelConfig) -> dict[str, object]:
    """The contents of config.json for `config`."""
    return {
        "architectures": ["GraniteMoeHybridForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attention_multiplier": config.attention_multiplier,
        "bos_token_id": config.bos_token_id,
        "embedding_multiplier": config.embedding_multiplier,
        "eos_token_id": config.eos_token_ids[0],
        "hidden_act": "silu",
        "hidden_size": config.hidden_size,
        "initializer_range": 0.1,
        "intermediate_size": config.shared_intermediate_size,
        "layer_types": list(config.layer_types),
        "logits_scaling": config.logits_scaling,
        "mamba_chunk_size": 256,
        "mamba_conv_bias": True,
        "mamba_d_conv": config.mamba_d_conv,
        "mamba_d_head": config.mamba_d_head,
        "mamba_d_state": config.mamba_d_state,
        "mamba_expand": config.mamba_intermediate_size // config.hidden_size,
        "mamba_n_groups": config.mamba_n_groups,
        "mamba_n_heads": config.mamba_n_heads,
        "mamba_proj_bias": False,
        "max_position_embeddings": config.max_position_embeddings,
        "model_type": "granitemoehybrid",
        "normalization_function": "rmsnorm",
        "num_attention_heads": config.num_attention_heads,
        "num_experts_per_tok": 0,
        "num_hidden_layers": config.num_layers,
        "num_key_value_heads": config.num_key_value_heads,
        "num_local_experts": 0,
        "output_router_logits": False,
        "pad_token_id": config.pad_token_id,
        "position_embedding_type": "nope",
        "residual_multiplier": config.residual_multiplier,
        "rms_norm_eps": config.rms_norm_eps,
        "rope_scaling": None,
        "rope_theta": 10000,
        "router_aux_loss_coef": 0.01,
        "shared_intermediate_size": config.shared_intermediate_size,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.56.0",
        "use_cache": True,
        "vocab_size": config.vocab_size,
    }
