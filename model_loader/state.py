"""The memory of every sequence: recurrent state by slot, keys and values by page."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.state_space import BlockState
from model_loader.config import ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLayout:
    """How state is cut: recurrent blocks of Q = `block_length` rows, K/V pages, conv windows."""

    block_length: int
    page_length: int
    conv_kernel: int


@dataclass(frozen=True, slots=True)
class AttentionLayerState:
    keys: Tensor  # (pages, page_length, kv_heads, head_dim)
    values: Tensor


class HybridState:
    """All slots and pages of one network, allocated once.

    A slot holds one sequence's boundary states, rings and convolution windows in every Mamba
    layer. Only `reset` makes a slot fit for a new sequence; pages need no reset because only
    written rows are read.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        num_slots: int,
        num_pages: int,
        page_length: int,
        block_length: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.layout = StateLayout(
            block_length=block_length, page_length=page_length, conv_kernel=config.mamba_d_conv
        )
        self.device = device
        by_slot = (config.num_mamba_layers, num_slots)
        heads = (config.mamba_n_heads, config.mamba_d_head)
        groups = (config.mamba_n_groups, config.mamba_d_state)
        window = (config.mamba_d_conv - 1, config.conv_dim)
        by_page = (config.num_attention_layers, num_pages, page_length)
        kv_heads = (config.num_key_value_heads, config.head_dim)

        def zeros(*shape: int, dtype: torch.dtype = dtype) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        self.boundary = zeros(*by_slot, *heads, config.mamba_d_state, dtype=torch.float32)
        self.ring_x = zeros(*by_slot, block_length, *heads)
        self.ring_b = zeros(*by_slot, block_length, *groups)
        self.ring_dt = zeros(*by_slot, block_length, heads[0], dtype=torch.float32)
        self.windows = zeros(*by_slot, *window)
        self.keys = zeros(*by_page, *kv_heads)
        self.values = zeros(*by_page, *kv_heads)

    def blocks(self, layer: int, slot: int) -> BlockState:
        """A slot's recurrent state in the `layer`-th Mamba layer (attention layers not counted)."""
        return BlockState(
            self.boundary[layer, slot],
            self.ring_x[layer, slot],
            self.ring_b[layer, slot],
            self.ring_dt[layer, slot],
        )

    def conv_windows(self, layer: int) -> Tensor:
        """(slots, conv_kernel - 1, conv_dim): newest inputs of the `layer`-th convolution."""
        return self.windows[layer]

    def attention_layer(self, index: int) -> AttentionLayerState:
        """State of the `index`-th attention layer (Mamba layers not counted)."""
        return AttentionLayerState(self.keys[index], self.values[index])

    def reset(self, slot: int) -> None:
        """Make a slot the state before the first token. Rings need it too: 0 * NaN is NaN."""
        for tensor in (self.boundary, self.ring_x, self.ring_b, self.ring_dt, self.windows):
            tensor[:, slot].zero_()


def state_bytes_per_slot(config: ModelConfig, block_length: int, dtype: torch.dtype) -> int:
    """Bytes of one sequence's recurrent state in all Mamba layers; K/V pages not counted."""
    heads = config.mamba_n_heads * config.mamba_d_head
    boundary = heads * config.mamba_d_state * torch.float32.itemsize
    ring = block_length * (heads + config.mamba_n_groups * config.mamba_d_state) * dtype.itemsize
    ring += block_length * config.mamba_n_heads * torch.float32.itemsize
    window = (config.mamba_d_conv - 1) * config.conv_dim * dtype.itemsize
    return config.num_mamba_layers * (boundary + ring + window)


def page_bytes(config: ModelConfig, page_length: int, dtype: torch.dtype) -> int:
    """Bytes of one page of keys and values in all attention layers."""
    row = 2 * config.num_key_value_heads * config.head_dim * dtype.itemsize
    return config.num_attention_layers * page_length * row
