"""Norms, activations, convolution, linear layers: their formulas, in any batch."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.activation import silu, silu_and_multiply, softplus
from kernels.convolution import causal_conv_silu
from kernels.linear import linear
from kernels.norm import gated_rms_norm, rms_norm


def test_rms_norm_scales_rows_to_unit_root_mean_square() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    weight = torch.tensor([1.0, 10.0])
    scale = 1 / math.sqrt(12.5 + 1e-6)
    expected = torch.tensor([[3 * scale, 40 * scale], [0.0, 0.0]])
    torch.testing.assert_close(rms_norm(rows, weight, 1e-6), expected)


def test_gated_norm_gates_before_normalising_and_within_groups() -> None:
    rows, gate, weight = torch.randn(3, 8), torch.randn(3, 8), torch.randn(8)
    gated = (rows * gate * torch.sigmoid(gate)).double()
    halves = [
        half / torch.sqrt((half**2).mean(-1, keepdim=True) + 1e-5)
        for half in (gated[:, :4], gated[:, 4:])
    ]
    expected = torch.cat(halves, -1) * weight
    torch.testing.assert_close(
        gated_rms_norm(rows, gate, weight, 1e-5, 2).double(), expected, rtol=1e-5, atol=1e-6
    )


def test_silu_and_multiply_gates_with_the_first_half() -> None:
    rows = torch.tensor([[1.0, -2.0, 10.0, 100.0]])
    expected = [[10 / (1 + math.exp(-1)), -200 / (1 + math.exp(2))]]
    torch.testing.assert_close(silu_and_multiply(rows), torch.tensor(expected))


def test_softplus_is_exact_at_both_ends() -> None:
    values = torch.tensor([-200.0, -1.0, 0.0, 1.0, 200.0])
    expected = [0.0, math.log1p(math.exp(-1)), math.log(2), math.log1p(math.exp(1)), 200.0]
    torch.testing.assert_close(softplus(values), torch.tensor(expected))


def test_convolution_sees_each_rows_own_predecessors() -> None:
    kernel, channels = 4, 5
    history = torch.randn(11, channels)
    weight, bias = torch.randn(kernel, channels), torch.randn(channels)
    window = history[:3].clone()
    expected = F.silu(F.conv1d(history.T[None], weight.T[:, None], bias, groups=channels))[0].T
    torch.testing.assert_close(causal_conv_silu(history[3:], window, weight, bias), expected)
    assert torch.equal(window, history[-3:])


ROW_FUNCTIONS: dict[str, tuple[int, Callable[[Tensor], Tensor]]] = {
    "rms_norm": (48, lambda rows: rms_norm(rows, torch.ones(48), 1e-5)),
    "softplus": (5, softplus),
    "silu": (5, silu),
    "linear": (40, lambda rows: linear(rows, torch.linspace(-1, 1, 40 * 72).view(72, 40))),
    "wide linear": (96, lambda rows: linear(rows, torch.linspace(-1, 1, 96 * 340).view(340, 96))),
}


@pytest.mark.parametrize("name", ROW_FUNCTIONS)
def test_a_row_has_the_same_bits_in_any_batch(name: str) -> None:
    width, function = ROW_FUNCTIONS[name]
    rows = torch.randn(40, width)
    whole = function(rows)
    for start in range(40):
        for count in (1, 2, 3, 16, 17):
            assert torch.equal(function(rows[start : start + count]), whole[start : start + count])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 15, 16, 17, 33])
def test_linear_is_a_matrix_product(rows: int, dtype: torch.dtype) -> None:
    inputs, weight = torch.randn(rows, 24).to(dtype), torch.randn(10, 24).to(dtype)
    expected = inputs.double() @ weight.double().T
    tolerance = 1e-5 if dtype == torch.float32 else 5e-2
    actual = linear(inputs, weight)
    assert actual.dtype == dtype
    torch.testing.assert_close(actual.double(), expected, rtol=tolerance, atol=tolerance)
