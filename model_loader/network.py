"""The Granite 4 dense hybrid: embedding, layers, tied head and the four multipliers.

Module and parameter names are the checkpoint's tensor names. Knows no sequences beyond the flat
batch.
"""

import torch
from torch import Tensor, nn

from kernels.activation import silu_and_multiply
from kernels.linear import linear
from kernels.norm import rms_norm
from model_loader.attention import Attention
from model_loader.config import ModelConfig
from model_loader.mamba import MambaMixer
from model_loader.projection import Projection
from model_loader.rows import FlatBatch
from model_loader.state import HybridState


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)
        self.eps = eps

    def forward(self, rows: Tensor) -> Tensor:
        return rms_norm(rows, self.weight, self.eps)


class SharedMLP(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.shared_intermediate_size
        self.input_linear = Projection(config.hidden_size, 2 * width)
        self.output_linear = Projection(width, config.hidden_size)

    def forward(self, rows: Tensor) -> Tensor:
        hidden: Tensor = self.input_linear(rows)
        output: Tensor = self.output_linear(silu_and_multiply(hidden))
        return output


class Layer(nn.Module):
    """A mixer (Mamba or attention), then the MLP, each normalised before and scaled after."""

    def __init__(self, config: ModelConfig, index: int) -> None:
        super().__init__()
        earlier = config.layer_types[:index]
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mixer_name = "mamba" if config.layer_types[index] == "mamba" else "self_attn"
        if config.layer_types[index] == "mamba":
            self.mamba = MambaMixer(config, earlier.count("mamba"))
        else:
            self.self_attn = Attention(config, earlier.count("attention"))
        self.shared_mlp = SharedMLP(config)
        self.residual_multiplier = config.residual_multiplier

    def forward(self, rows: Tensor, batch: FlatBatch, state: HybridState) -> Tensor:
        mixer = self.get_submodule(self.mixer_name)
        rows = rows + self.residual_multiplier * mixer(self.input_layernorm(rows), batch, state)
        mlp: Tensor = self.shared_mlp(self.post_attention_layernorm(rows))
        return rows + self.residual_multiplier * mlp


class Backbone(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = Projection(config.hidden_size, config.vocab_size)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.num_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Network(nn.Module):
    """`network(batch, state)` advances the state by the batch's rows, returns the wanted logits."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)

    @torch.inference_mode()
    def forward(self, batch: FlatBatch, state: HybridState) -> Tensor:
        """Returns fp32 logits (wanted, vocab_size) in segment order."""
        rows = self.model.embed_tokens.weight[batch.token_ids] * self.config.embedding_multiplier
        for layer in self.model.layers:
            rows = layer(rows, batch, state)
        wanted: Tensor = self.model.norm(rows[batch.logit_rows])
        return linear(wanted, self.model.embed_tokens.weight).float() / self.config.logits_scaling
