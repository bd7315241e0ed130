"""Which weights are stored in which form: the quantisation policy."""

from collections.abc import Callable

from kernels.packing import Format, can_pack
from model_loader.footprint import INT4_LAYERS, Quantization
from model_loader.projection import Projection

ProjectionFactory = Callable[[str, int, int], Projection]
"""(name, in_features, out_features) to the layer of that name in its module."""


def choose_format(
    name: str, in_features: int, quantization: Quantization, *, packs_bf16: bool
) -> Format | None:
    """The form of one layer's weight; None keeps it plain, as do sizes that no kernel takes."""
    if not can_pack(in_features):
        return None
    if quantization == "none":
        return Format.BF16 if packs_bf16 else None
    is_int4 = quantization == "int4" and name in INT4_LAYERS
    return Format.INT4 if is_int4 else Format.INT8
