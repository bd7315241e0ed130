"""Which weights are stored in which form: the quantisation policy."""

from collections.abc import Callable

from kernels.packing import PANEL, Format, can_pack
from model_loader.config import ModelConfig
from model_loader.footprint import Quantization, int4_rows
from model_loader.projection import Projection, RowPart

ProjectionFactory = Callable[[str, int, int], Projection]
"""(name, in_features, out_features) to the layer of that name in its module."""


def choose_layout(
    name: str,
    in_features: int,
    out_features: int,
    config: ModelConfig,
    quantization: Quantization,
    *,
    packs_bf16: bool,
) -> tuple[RowPart, ...]:
    """The parts of one layer's weight; none keeps it plain, as do sizes that no kernel takes."""
    if not can_pack(in_features):
        return ()
    if quantization == "none":
        return (RowPart(Format.BF16, out_features),) if packs_bf16 else ()
    num_int4 = int4_rows(config, name, out_features) if quantization == "int4" else 0
    if num_int4 < out_features:
        num_int4 -= num_int4 % PANEL  # only the last part may end within a panel
    parts = (RowPart(Format.INT4, num_int4), RowPart(Format.INT8, out_features - num_int4))
    return tuple(part for part in parts if part.num_rows > 0)
