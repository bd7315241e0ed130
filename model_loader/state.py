"""The memory of every sequence: recurrent state by slot, keys and values by page."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kernels.interface import StatePool
from model_loader.config import ModelConfig

CACHE_LINE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLayout:
    """How state is cut: recurrent blocks of Q = `block_length` rows, K/V pages."""

    block_length: int
    page_length: int


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
        self.layout = StateLayout(block_length=block_length, page_length=page_length)
        self.device = device
        by_slot = (config.num_mamba_layers, num_slots)
        heads = (config.mamba_n_heads, config.mamba_d_head)
        groups = (config.mamba_n_groups, config.mamba_d_state)
        window = (config.mamba_d_conv - 1, config.conv_dim)
        by_page = (config.num_attention_layers, num_pages, page_length)
        kv_heads = (config.num_key_value_heads, config.head_dim)

        def zeros(*shape: int, dtype: torch.dtype = dtype) -> Tensor:
            return _zeros(shape, dtype, device)

        boundary = (heads[0], config.mamba_d_state, heads[1])
        self.boundary = zeros(*by_slot, *boundary, dtype=torch.float32)
        self.ring_x = zeros(*by_slot, block_length, *heads)
        self.ring_b = zeros(*by_slot, block_length, *groups)
        self.ring_dt = zeros(*by_slot, block_length, heads[0], dtype=torch.float32)
        self.windows = zeros(*by_slot, *window)
        self.keys = zeros(*by_page, *kv_heads)
        self.values = zeros(*by_page, *kv_heads)

    def mamba_layer(self, index: int) -> StatePool:
        """State of the `index`-th Mamba layer (attention layers not counted)."""
        return StatePool(
            self.boundary[index],
            self.ring_x[index],
            self.ring_b[index],
            self.ring_dt[index],
            self.windows[index],
        )

    def attention_layer(self, index: int) -> AttentionLayerState:
        """State of the `index`-th attention layer (Mamba layers not counted)."""
        return AttentionLayerState(self.keys[index], self.values[index])

    @property
    def num_bytes(self) -> int:
        """Memory of all slots and pages."""
        return sum(tensor.nbytes for tensor in (*self._by_slot, self.keys, self.values))

    def reset(self, slot: int) -> None:
        """Make a slot the state before the first token. Rings need it too: 0 * NaN is NaN."""
        for tensor in self._by_slot:
            tensor[:, slot].zero_()

    @property
    def _by_slot(self) -> tuple[Tensor, ...]:
        return self.boundary, self.ring_x, self.ring_b, self.ring_dt, self.windows


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """On the CPU memory that the system hands out at the first touch: idle slots cost nothing."""
    if device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    num_bytes = math.prod(shape) * dtype.itemsize
    memory = np.zeros(num_bytes + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return torch.from_numpy(memory[start : start + num_bytes]).view(dtype).view(shape)
