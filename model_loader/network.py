"""The Granite 4 dense hybrid: embedding, layers, tied head and the four multipliers.

Module and parameter names are the checkpoint's tensor names. Knows no sequences beyond the flat
batch, and no arithmetic beyond the kernels' operations.
"""

from functools import cached_property

import torch
from torch import Tensor, nn

from kernels.interface import Kernels
from kernels.native_layers import NativeLayers
from model_loader.config import ModelConfig
from model_loader.footprint import Quantization
from model_loader.formats import ProjectionFactory, choose_layout
from model_loader.layer import Layer, RMSNorm
from model_loader.native_layers import native_layers, state_memory
from model_loader.projection import Projection
from model_loader.rows import FlatBatch
from model_loader.state import HybridState


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
            layout = choose_layout(
                name, in_features, out_features, config, quantization, packs_bf16=packs_bf16
            )
            return Projection(in_features, out_features, kernels, layout)

        self.model = Backbone(config, kernels, projection)

    @torch.inference_mode()
    def forward(self, batch: FlatBatch, state: HybridState) -> Tensor:
        """Returns fp32 logits (wanted, vocab_size) in segment order."""
        rows = self.model.embed_tokens.rows_of(batch.token_ids) * self.config.embedding_multiplier
        wanted: Tensor = self.model.norm(self._through_layers(rows, batch, state))
        logits: Tensor = self.model.embed_tokens(wanted)
        return logits.float() / self.config.logits_scaling

    @cached_property
    def native_layers(self) -> NativeLayers | None:
        """All layers as one call, once the weights are stored; None: they go one by one."""
        layers = [layer for layer in self.model.layers if isinstance(layer, Layer)]
        return native_layers(self.config, layers)

    def _through_layers(self, rows: Tensor, batch: FlatBatch, state: HybridState) -> Tensor:
        """Those whose logits are wanted: (wanted, hidden_size)."""
        if self.native_layers is not None:
            memory = state_memory(state)
            indices = (batch.page_rows, batch.fresh_pages, batch.logit_rows)
            return self.native_layers.advance(rows, batch.spans, *indices, memory)
        for layer in self.model.layers:
            rows = layer(rows, batch, state)
        return rows[batch.logit_rows]
