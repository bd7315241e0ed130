"""The memory of every sequence: recurrent state by slot, keys and values by page."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.interface import StatePool
from model_loader.config import ModelConfig


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
    """All slots and pages of one network, allocated once and not written before they are used.

    A slot holds one sequence's boundary states, rings and convolution windows in every Mamba
    layer, each contiguous: what is idle takes no memory, even where the system hands it out in
    huge pages. Only `reset` makes a slot fit for a sequence; pages need no reset because only
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
        by_slot = (num_slots, config.num_mamba_layers)
        heads = (config.mamba_n_heads, config.mamba_d_head)
        groups = (config.mamba_n_groups, config.mamba_d_state)
        window = (config.mamba_d_conv - 1, config.conv_dim)
        by_page = (config.num_attention_layers, num_pages, page_length)
        kv_heads = (config.num_key_value_heads, config.head_dim)

        def empty(*shape: int, dtype: torch.dtype = dtype) -> Tensor:
            return torch.empty(shape, dtype=dtype, device=device)

        boundary = (heads[0], config.mamba_d_state, heads[1])
        self.boundary = empty(*by_slot, *boundary, dtype=torch.float32)
        self.ring_x = empty(*by_slot, block_length, *heads)
        self.ring_b = empty(*by_slot, block_length, *groups)
        self.ring_dt = empty(*by_slot, block_length, heads[0], dtype=torch.float32)
        self.windows = empty(*by_slot, *window)
        self.keys = empty(*by_page, *kv_heads)
        self.values = empty(*by_page, *kv_heads)

    def mamba_layer(self, index: int) -> StatePool:
        """State of the `index`-th Mamba layer (attention layers not counted)."""
        return StatePool(
            self.boundary[:, index],
            self.ring_x[:, index],
            self.ring_b[:, index],
            self.ring_dt[:, index],
            self.windows[:, index],
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
            tensor[slot].zero_()

    @property
    def _by_slot(self) -> tuple[Tensor, ...]:
        return self.boundary, self.ring_x, self.ring_b, self.ring_dt, self.windows
