"""The Granite 4 dense hybrid: embedding, layers, tied head and the four multipliers.

Module and parameter names are the checkpoint's tensor names. Knows no sequences beyond the flat
batch, and no arithmetic beyond the kernels' operations.
"""

import torch
from torch import Tensor, nn

from kernels.interface import Kernels
from model_loader.attention import Attention
from model_loader.config import ModelConfig
from model_loader.footprint import Quantization
from model_loader.formats import ProjectionFactory, choose_format
from model_loader.mamba import MambaMixer
from model_loader.projection import Projection
from model_loader.rows import FlatBatch
from model_loader.state import HybridState


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float, kernels: Kernels) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)
        self.eps = eps
        self.kernels = kernels

    def forward(self, rows: Tensor) -> Tensor:
        return self.kernels.rms_norm(rows, self.weight, self.eps)


class SharedMLP(nn.Module):
    def __init__(
        self, config: ModelConfig, kernels: Kernels, projection: ProjectionFactory
    ) -> None:
        super().__init__()
        width = config.shared_intermediate_size
        self.kernels = kernels
        self.input_linear = projection("input_linear", config.hidden_size, 2 * width)
        self.output_linear = projection("output_linear", width, config.hidden_size)

    def forward(self, rows: Tensor) -> Tensor:
        output: Tensor = self.output_linear(self.kernels.silu_and_multiply(self.input_linear(rows)))
        return output


class Layer(nn.Module):
    """A mixer (Mamba or attention), then the MLP, each normalised before and scaled after."""

    def __init__(
        self, config: ModelConfig, index: int, kernels: Kernels, projection: ProjectionFactory
    ) -> None:
        super().__init__()
        earlier = config.layer_types[:index]
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps, kernels)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps, kernels)
        self.mixer_name = "mamba" if config.layer_types[index] == "mamba" else "self_attn"
        if config.layer_types[index] == "mamba":
            self.mamba = MambaMixer(config, earlier.count("mamba"), kernels, projection)
        else:
            self.self_attn = Attention(config, earlier.count("attention"), kernels, projection)
        self.shared_mlp = SharedMLP(config, kernels, projection)
        self.residual_multiplier = config.residual_multiplier

    def forward(self, rows: Tensor, batch: FlatBatch, state: HybridState) -> Tensor:
        mixer = self.get_submodule(self.mixer_name)
        mixed: Tensor = mixer(self.input_layernorm(rows), batch, state)
        rows = rows + self.residual_multiplier * mixed
        mlp: Tensor = self.shared_mlp(self.post_attention_layernorm(rows))
        return rows + self.residual_multiplier * mlp


class Backbone(nn.Module):
    def __init__(
        self, config: ModelConfig, kernels: Kernels, projection: ProjectionFactory
    ) -> None:
        super().__init__()
        self.embed_tokens = projection("embed_tokens", config.hidden_size, config.vocab_size)
        self.layers = nn.ModuleList(
            Layer(config, index, kernels, projection) for index in range(config.num_layers)
        )
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps, kernels)


class Network(nn.Module):
    """`network(batch, state)` advances the state by the batch's rows, returns the wanted logits."""

    def __init__(
        self,
        config: ModelConfig,
        kernels: Kernels,
        *,
        quantization: Quantization = "none",
        packs_bf16: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.kernels = kernels

        def projection(name: str, in_features: int, out_features: int) -> Projection:
            form = choose_format(name, in_features, quantization, packs_bf16=packs_bf16)
            return Projection(in_features, out_features, kernels, form)

        self.model = Backbone(config, kernels, projection)

    @torch.inference_mode()
    def forward(self, batch: FlatBatch, state: HybridState) -> Tensor:
        """Returns fp32 logits (wanted, vocab_size) in segment order."""
        rows = self.model.embed_tokens.rows_of(batch.token_ids) * self.config.embedding_multiplier
        for layer in self.model.layers:
            rows = layer(rows, batch, state)
        wanted: Tensor = self.model.norm(rows[batch.logit_rows])
        logits: Tensor = self.model.embed_tokens(wanted)
        return logits.float() / self.config.logits_scaling
