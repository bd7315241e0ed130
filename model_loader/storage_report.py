"""One line at debug level for each weight: its format, and how far that is from the original."""

import logging

import torch
from torch import Tensor

from model_loader.projection import Projection

SAMPLED_ROWS = 64
"""Enough to know a matrix's error to a few percent; unpacking every row would take minutes."""

logger = logging.getLogger(__name__)


def report_storage(name: str, projection: Projection, original: Tensor | None = None) -> None:
    """`original` is not there if the weight came from the packed cache: then no error is told."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    logger.debug(
        "%s %s: %s, %.2f bits a weight, relative error %s",
        name,
        list(projection.shape),
        _formats(projection),
        _bits(projection),
        "unknown (from the packed cache)"
        if original is None
        else f"{relative_error(projection, original):.2e}",
    )


def relative_error(projection: Projection, original: Tensor) -> float:
    """|stored - original| / |original| over some rows from first to last."""
    outputs = projection.shape[0]
    rows = torch.linspace(0, outputs - 1, min(SAMPLED_ROWS, outputs)).long()
    expected = original[rows].float()
    difference = torch.linalg.vector_norm(projection.rows_of(rows).float() - expected)
    size = torch.linalg.vector_norm(expected).clamp(min=torch.finfo(torch.float32).tiny)
    return float(difference / size)


def _formats(projection: Projection) -> str:
    if not projection.parts:
        return str(projection.weight.dtype).removeprefix("torch.")
    return " + ".join(
        f"{part.format.name.lower()} ({part.out_features} rows)" for part in projection.parts
    )


def _bits(projection: Projection) -> float:
    stored = projection.packed_bytes or projection.weight.nbytes
    outputs, inputs = projection.shape
    return 8 * stored / (outputs * inputs)
