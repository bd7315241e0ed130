"""The Mamba-2 mixer (Dao and Gu 2024) on flat rows.

Shapes: R rows, H heads of P channels, G groups of N state dimensions.
"""

from functools import cached_property

import torch
from torch import Tensor, nn

from kernels.interface import Kernels
from model_loader.config import ModelConfig
from model_loader.formats import ProjectionFactory
from model_loader.rows import FlatBatch
from model_loader.state import HybridState


class ConvolutionWeights(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 1, kernel), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(channels), requires_grad=False)

    @cached_property
    def taps(self) -> Tensor:
        """(kernel, channels)."""
        return self.weight.squeeze(1).T.contiguous()


class GatedNormWeights(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)


class MambaMixer(nn.Module):
    """`index` is the layer's number among the Mamba layers."""

    def __init__(
        self, config: ModelConfig, index: int, kernels: Kernels, projection: ProjectionFactory
    ) -> None:
        super().__init__()
        self.index = index
        self.config = config
        self.kernels = kernels
        width, heads = config.mamba_intermediate_size, config.mamba_n_heads
        self.in_proj = projection("in_proj", config.hidden_size, width + config.conv_dim + heads)
        self.conv1d = ConvolutionWeights(config.conv_dim, config.mamba_d_conv)
        self.dt_bias = nn.Parameter(torch.empty(heads), requires_grad=False)
        self.A_log = nn.Parameter(torch.empty(heads), requires_grad=False)
        self.D = nn.Parameter(torch.empty(heads), requires_grad=False)
        self.norm = GatedNormWeights(width)
        self.out_proj = projection("out_proj", width, config.hidden_size)

    @cached_property
    def a(self) -> Tensor:
        """(H,) fp32: the continuous-time decay of each head."""
        return -torch.exp(self.A_log.float())

    def forward(self, rows: Tensor, batch: FlatBatch, state: HybridState) -> Tensor:
        """(R, hidden_size) -> (R, hidden_size); advances windows, rings and boundary states."""
        config, kernels = self.config, self.kernels
        pool = state.mamba_layer(self.index)
        gate, convolved, dt = torch.split(
            self.in_proj(rows),
            [config.mamba_intermediate_size, config.conv_dim, config.mamba_n_heads],
            dim=-1,
        )
        dt = kernels.time_step(dt, self.dt_bias, *config.time_step_limit)
        convolved = kernels.convolve_silu(
            convolved, pool, batch.spans, self.conv1d.taps, self.conv1d.bias
        )
        y = kernels.advance_state(convolved, dt, pool, batch.spans, self.a, self.D)
        normed = kernels.gated_rms_norm(
            y, gate, self.norm.weight, config.rms_norm_eps, config.mamba_n_groups
        )
        output: Tensor = self.out_proj(normed)
        return output
