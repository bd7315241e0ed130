"""One layer of the hybrid: a mixer (Mamba or attention), then the MLP.

Module names are the checkpoint's.
"""

import torch
from torch import Tensor, nn

from kernels.interface import Kernels
from model_loader.attention import Attention
from model_loader.config import ModelConfig
from model_loader.formats import ProjectionFactory
from model_loader.mamba import MambaMixer
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
        self.kernels = kernels
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps, kernels)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps, kernels)
        if config.layer_types[index] == "mamba":
            self.mamba = MambaMixer(config, earlier.count("mamba"), kernels, projection)
        else:
            self.self_attn = Attention(config, earlier.count("attention"), kernels, projection)
        self.shared_mlp = SharedMLP(config, kernels, projection)
        self.residual_multiplier = config.residual_multiplier

    @property
    def mixer(self) -> MambaMixer | Attention:
        return self.mamba if hasattr(self, "mamba") else self.self_attn

    def forward(self, rows: Tensor, batch: FlatBatch, state: HybridState) -> Tensor:
        mixed: Tensor = self.mixer(self.input_layernorm(rows), batch, state)
        rows = rows + self.residual_multiplier * mixed
        mlp: Tensor = self.shared_mlp(self.post_attention_layernorm(rows))
        return rows + self.residual_multiplier * mlp
