"""Grouped-query attention without position encoding, over the state's paged keys and values."""

import torch
from torch import Tensor, nn

from kernels.interface import Kernels
from model_loader.config import ModelConfig
from model_loader.formats import ProjectionFactory
from model_loader.rows import FlatBatch
from model_loader.state import HybridState


class Attention(nn.Module):
    """`index` is the layer's number among the attention layers."""

    def __init__(
        self, config: ModelConfig, index: int, kernels: Kernels, projection: ProjectionFactory
    ) -> None:
        super().__init__()
        self.index = index
        self.kernels = kernels
        self.head_dim = config.head_dim
        self.scale = config.attention_multiplier
        query_width = config.num_attention_heads * config.head_dim
        kv_width = config.num_key_value_heads * config.head_dim
        self.q_proj = projection("q_proj", config.hidden_size, query_width)
        self.k_proj = projection("k_proj", config.hidden_size, kv_width)
        self.v_proj = projection("v_proj", config.hidden_size, kv_width)
        self.o_proj = projection("o_proj", query_width, config.hidden_size)

    def forward(self, rows: Tensor, batch: FlatBatch, state: HybridState) -> Tensor:
        """(R, hidden_size) -> (R, hidden_size); writes the rows' keys and values first."""
        pages = state.attention_layer(self.index)
        for tensor in (pages.keys, pages.values):
            tensor[batch.fresh_pages] = 0.0
        pages.keys.flatten(0, 1)[batch.page_rows] = self._by_head(self.k_proj(rows))
        pages.values.flatten(0, 1)[batch.page_rows] = self._by_head(self.v_proj(rows))
        attended = self.kernels.attend(
            self._by_head(self.q_proj(rows)), pages.keys, pages.values, batch.spans, self.scale
        )
        output: Tensor = self.o_proj(attended.flatten(1))
        return output

    def _by_head(self, rows: Tensor) -> Tensor:
        return torch.reshape(rows, (rows.shape[0], -1, self.head_dim))
