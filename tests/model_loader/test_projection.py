"""A weight in parts of different formats is one layer."""

import pytest
import torch

from kernels.packing import Format
from kernels.torch_kernels import TorchKernels
from model_loader.projection import Projection, RowPart
from model_loader.storage_report import relative_error

MIXED = (RowPart(Format.INT4, 48), RowPart(Format.INT8, 22))


def projection(*layout: RowPart) -> tuple[Projection, torch.Tensor]:
    weight = torch.randn(70, 64, generator=torch.Generator().manual_seed(3))
    layer = Projection(64, 70, TorchKernels(), layout)
    layer.store(weight)
    return layer, weight


def test_every_part_has_the_precision_of_its_format() -> None:
    layer, weight = projection(*MIXED)
    rows = torch.randn(5, 64)
    error = (layer(rows) - rows @ weight.T).norm(dim=0) / (rows @ weight.T).norm(dim=0)
    assert 0.04 < error[:48].mean() < 0.12
    assert error[48:].mean() < 0.02
    assert layer(rows).shape == (5, 70)


def test_rows_are_looked_up_across_the_border_of_parts() -> None:
    layer, weight = projection(*MIXED)
    indices = torch.tensor([69, 0, 47, 48, 48])
    found = layer.rows_of(indices)
    assert (found - weight[indices]).abs().max() < 0.4
    assert torch.equal(found[3], layer.rows_of(torch.tensor([48]))[0])


def test_what_was_packed_can_be_kept_and_taken_back() -> None:
    layer, weight = projection(*MIXED)
    kept = layer.packed_data()
    assert kept.shape == (layer.packed_bytes,)
    again = Projection(64, 70, TorchKernels(), MIXED)
    again.store_packed(kept)
    rows = torch.randn(3, 64)
    assert torch.equal(again(rows), layer(rows))
    assert again.holds(weight)
    assert not again.holds(weight + 1.0)


def test_a_plain_weight_has_no_packed_form() -> None:
    layer, weight = projection()
    assert layer.packed_bytes is None
    assert torch.equal(layer.rows_of(torch.tensor([5])), weight[5:6])
    with pytest.raises(ValueError, match="plain"):
        layer.store_packed(torch.zeros(10, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("format", "low", "high"),
    [(Format.INT4, 0.05, 0.1), (Format.INT8, 2e-3, 8e-3), (Format.BF16, 1e-4, 3e-3)],
)
def test_the_reported_error_is_that_of_the_format(format: Format, low: float, high: float) -> None:
    layer, weight = projection(RowPart(format, 70))
    assert low < relative_error(layer, weight) < high
