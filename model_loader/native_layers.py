"""A network's layers as the one native call takes them, where every weight has the form for it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from kernels.native_layers import (
    AttentionWeights,
    LayerArithmetic,
    LayerWeights,
    MambaWeights,
    NativeLayers,
    StateMemory,
)
from kernels.native_library import NativeKernels
from kernels.packing import PANEL, PackedWeight
from model_loader.attention import Attention
from model_loader.config import ModelConfig
from model_loader.layer import Layer
from model_loader.mamba import MambaMixer
from model_loader.projection import Projection
from model_loader.state import HybridState


def native_layers(config: ModelConfig, layers: Sequence[Layer]) -> NativeLayers | None:
    """None if a weight is not packed, or its parts do not fill whole panels."""
    kernels = layers[0].kernels
    if not isinstance(kernels, NativeKernels) or not all(map(_has_the_form, layers)):
        return None
    arithmetic = LayerArithmetic(
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        norm_eps=config.rms_norm_eps,
        residual_multiplier=config.residual_multiplier,
        attention_scale=config.attention_multiplier,
        time_step_limit=config.time_step_limit,
    )
    return NativeLayers(kernels, arithmetic, [_weights_of(layer) for layer in layers])


def state_memory(state: HybridState) -> StateMemory:
    return StateMemory(
        boundary=state.boundary,
        ring_x=state.ring_x,
        ring_b=state.ring_b,
        ring_dt=state.ring_dt,
        windows=state.windows,
        keys=state.keys,
        values=state.values,
    )


def _has_the_form(layer: Layer) -> bool:
    """Only the last part of a Mamba input projection may end within a panel."""
    mixer, mlp = layer.mixer, layer.shared_mlp
    if isinstance(mixer, MambaMixer):
        packed = bool(mixer.in_proj.parts)
        whole = [mixer.out_proj]
    else:
        packed = True
        whole = [mixer.q_proj, mixer.k_proj, mixer.v_proj, mixer.o_proj]
    return packed and all(map(_fills_panels, [*whole, mlp.input_linear, mlp.output_linear]))


def _fills_panels(projection: Projection) -> bool:
    return bool(projection.parts) and projection.parts[-1].out_features % PANEL == 0


def _weights_of(layer: Layer) -> LayerWeights:
    mixer = layer.mixer
    return LayerWeights(
        mixer_norm=_fp32(layer.input_layernorm.weight),
        mixer=_mamba(mixer) if isinstance(mixer, MambaMixer) else _attention(mixer),
        mlp_norm=_fp32(layer.post_attention_layernorm.weight),
        mlp_in=_parts(layer.shared_mlp.input_linear),
        mlp_out=_parts(layer.shared_mlp.output_linear),
    )


def _mamba(mixer: MambaMixer) -> MambaWeights:
    return MambaWeights(
        in_proj=_parts(mixer.in_proj),
        out_proj=_parts(mixer.out_proj),
        taps=_fp32(mixer.conv1d.taps),
        conv_bias=_fp32(mixer.conv1d.bias),
        dt_bias=_fp32(mixer.dt_bias),
        a=mixer.a,
        d=_fp32(mixer.D),
        norm=_fp32(mixer.norm.weight),
    )


def _attention(mixer: Attention) -> AttentionWeights:
    return AttentionWeights(
        queries_keys_values=_parts(mixer.q_proj, mixer.k_proj, mixer.v_proj),
        output=_parts(mixer.o_proj),
    )


def _parts(*projections: Projection) -> tuple[PackedWeight, ...]:
    return tuple(part for projection in projections for part in projection.parts)


def _fp32(weight: Tensor) -> Tensor:
    return weight.detach().to(torch.float32).contiguous()
