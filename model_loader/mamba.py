"""The Mamba-2 mixer (Dao and Gu 2024) on flat rows.

Shapes: R rows, H heads of P channels, G groups of N state dimensions.
"""

import torch
from torch import Tensor, nn

from kernels.activation import softplus
from kernels.convolution import causal_conv_silu
from kernels.norm import gated_rms_norm
from kernels.state_space import StateInputs, advance_state
from model_loader.config import ModelConfig
from model_loader.projection import Projection
from model_loader.rows import FlatBatch
from model_loader.state import HybridState


class ConvolutionWeights(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 1, kernel), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(channels), requires_grad=False)


class GatedNormWeights(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width), requires_grad=False)


class MambaMixer(nn.Module):
    """`index` is the layer's number among the Mamba layers."""

    def __init__(self, config: ModelConfig, index: int) -> None:
        super().__init__()
        self.index = index
        self.config = config
        width, heads = config.mamba_intermediate_size, config.mamba_n_heads
        self.in_proj = Projection(config.hidden_size, width + config.conv_dim + heads)
        self.conv1d = ConvolutionWeights(config.conv_dim, config.mamba_d_conv)
        self.dt_bias = nn.Parameter(torch.empty(heads), requires_grad=False)
        self.A_log = nn.Parameter(torch.empty(heads), requires_grad=False)
        self.D = nn.Parameter(torch.empty(heads), requires_grad=False)
        self.norm = GatedNormWeights(width)
        self.out_proj = Projection(width, config.hidden_size)

    def forward(self, rows: Tensor, batch: FlatBatch, state: HybridState) -> Tensor:
        """(R, hidden_size) -> (R, hidden_size); advances windows, rings and boundary states."""
        config = self.config
        gate, convolved, dt = torch.split(
            self.in_proj(rows),
            [config.mamba_intermediate_size, config.conv_dim, config.mamba_n_heads],
            dim=-1,
        )
        inputs = self._state_inputs(self._convolve(convolved, batch, state), dt)
        y = self._state_space(inputs, batch, state) + self.D.float()[:, None] * inputs.x.float()
        normed = gated_rms_norm(
            y.flatten(1), gate, self.norm.weight, config.rms_norm_eps, config.mamba_n_groups
        )
        output: Tensor = self.out_proj(normed)
        return output

    def _convolve(self, rows: Tensor, batch: FlatBatch, state: HybridState) -> Tensor:
        windows = state.conv_windows(self.index)
        source = torch.cat([windows[batch.slots].flatten(0, 1), rows])
        windows[batch.slots] = source[batch.window_taps]
        return causal_conv_silu(
            source, batch.conv_taps, self.conv1d.weight.squeeze(1), self.conv1d.bias
        )

    def _state_inputs(self, convolved: Tensor, dt: Tensor) -> StateInputs:
        config = self.config
        group_width = config.mamba_n_groups * config.mamba_d_state
        x, b, c = torch.split(
            convolved, [config.mamba_intermediate_size, group_width, group_width], dim=-1
        )
        step = softplus(dt.float() + self.dt_bias.float()).clamp(*config.time_step_limit)
        return StateInputs(
            x.reshape(-1, config.mamba_n_heads, config.mamba_d_head),
            b.reshape(-1, config.mamba_n_groups, config.mamba_d_state),
            c.reshape(-1, config.mamba_n_groups, config.mamba_d_state),
            step,
        )

    def _state_space(self, inputs: StateInputs, batch: FlatBatch, state: HybridState) -> Tensor:
        """(R, H, P) fp32."""
        a = -torch.exp(self.A_log.float())
        return torch.cat(
            [
                advance_state(
                    inputs.of(segment.rows),
                    state.blocks(self.index, segment.slot),
                    a,
                    segment.block_offset,
                )
                for segment in batch.segments
            ]
        )
