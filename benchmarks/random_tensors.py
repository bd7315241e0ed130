"""Random weights with the ranges of trained ones, streamed into a safetensors file.

Only a slice of one tensor is in memory at a time, so that a checkpoint of many gigabytes can be
written on a small machine. The format: 8 bytes of header length, a JSON header, then the raw
tensors (safetensors documentation, "Format").
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

SLICE_ELEMENTS = 2**23
HEADER_ALIGNMENT = 8
DTYPE_NAMES = {torch.bfloat16: "BF16", torch.float32: "F32"}


def random_values(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """fp32 values of one tensor or of some of its first dimension's rows.

    Projections have unit gain, norms are around 1, and decays are slow and fast as in trained
    Mamba-2 layers (Dao and Gu 2024: A in 1..16, softplus(dt_bias) in 0.001..0.1), so that neither
    activations nor states grow or die out over the layers.
    """
    leaf = name.rsplit(".", 1)[-1]
    if leaf in ("A_log", "dt_bias", "D", "bias") or "norm" in name:
        uniform = torch.rand(shape, generator=generator)
        return _one_dimensional(leaf, uniform)
    gain = 0.1 if "embed_tokens" in name else 1 / math.sqrt(shape[-1])
    return torch.randn(shape, generator=generator) * gain


def _one_dimensional(leaf: str, uniform: Tensor) -> Tensor:
    if leaf == "A_log":
        return torch.log(1 + 15 * uniform)
    if leaf == "dt_bias":
        dt = torch.exp(math.log(0.001) + uniform * (math.log(0.1) - math.log(0.001)))
        return dt + torch.log(-torch.expm1(-dt))  # the inverse of softplus
    if leaf == "bias":
        return 0.2 * (uniform - 0.5)
    return 0.75 + 0.5 * uniform


def write_shard(
    path: Path,
    shapes: Mapping[str, torch.Size],
    dtype: torch.dtype,
    generator: torch.Generator,
) -> int:
    """Write one file with random tensors of these names and shapes; returns their bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + shape.numel() * dtype.itemsize
        header[name] = {
            "dtype": DTYPE_NAMES[dtype],
            "shape": list(shape),
            "data_offsets": [start, end],
        }
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % HEADER_ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for name, shape in shapes.items():
            for piece in _slices(shape):
                values = random_values(name, piece, generator).to(dtype)
                file.write(values.view(torch.uint8).numpy().tobytes())
    return end


def _slices(shape: torch.Size) -> list[torch.Size]:
    """The shape cut along its first dimension into pieces of at most SLICE_ELEMENTS elements."""
    row = math.prod(shape[1:])
    rows = max(1, SLICE_ELEMENTS // row)
    pieces = []
    for first in range(0, shape[0], rows):
        pieces.append(torch.Size([min(rows, shape[0] - first), *shape[1:]]))
    return pieces
