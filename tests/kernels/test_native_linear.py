"""Native linear layers and packing against their torch twins, and each row in any company."""

from pathlib import Path

import pytest
import torch

from kernels import native_library
from kernels.library_path import library_path
from kernels.native_library import NativeKernels
from kernels.native_structures import InstructionSet
from kernels.packing import Format, pack, unpack, unpack_bf16
from kernels.quantized_linear import quantize_rows
from tests.kernels.twin import TWIN, assert_near

pytestmark = pytest.mark.skipif(
    not library_path().exists(), reason="installed without a C++ compiler"
)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(7)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(1, 64, 32), (5, 192, 340), (33, 2048, 64), (300, 192, 48)]
)
def test_linear_is_its_twin(
    native: NativeKernels, format: Format, rows: int, inputs: int, outputs: int
) -> None:
    weight, x = torch.randn(outputs, inputs) * 0.05, torch.randn(rows, inputs)
    packed = pack(weight, format)
    # A rounded activation on the edge between two steps may fall to either side.
    assert_near(native.linear(x, (packed,)), TWIN.linear(x, (packed,)), 2e-3)
    assert (native.linear(x, (packed,)) - TWIN.linear(x, (packed,))).abs().median() < 1e-5


@pytest.mark.parametrize("format", [Format.INT8, Format.INT4])
def test_the_integer_sum_of_a_group_is_exact(native: NativeKernels, format: Format) -> None:
    packed, x = pack(torch.randn(64, 64), format), torch.randn(19, 64)
    assert torch.equal(native.linear(x, (packed,)), TWIN.linear(x, (packed,)))


@pytest.mark.parametrize("format", [Format.INT8, Format.INT4])
@pytest.mark.parametrize("others", [1.0, -1.0, 0.0, 0.01, 1.0078])
def test_the_largest_products_fit(native: NativeKernels, format: Format, others: float) -> None:
    """Where 16 bits would overflow: all products of a group as large as they can be."""
    signs = torch.tensor([1.0, -1.0])
    packed = pack(torch.ones(64, 64) * signs.repeat(32)[:, None], format)
    x = torch.tensor([1.0, others]).repeat(32) * signs.repeat(10)[:19, None]
    assert torch.equal(native.linear(x, (packed,)), TWIN.linear(x, (packed,)))


def test_four_rounded_activations_add_up_to_what_16_bits_hold() -> None:
    equal = torch.randn(500, 4).repeat_interleave(64, dim=1)
    for rows in (torch.randn(500, 256), torch.randn(500, 256) ** 3, equal):
        values, _ = quantize_rows(rows)
        quads = values.view(500, 4, 8, 2, 2, 2)  # two neighbours, of two quads next to each other
        sums = [(sign * quads).clamp(min=0).sum((-1, -3)).flatten(-2).amax(-1) for sign in (1, -1)]
        largest = torch.maximum(*sums)
        assert largest.max() <= 128
        # No coarser than that takes.
        assert largest.min() >= 124


@pytest.mark.parametrize("format", Format)
def test_a_row_of_a_linear_layer_has_the_same_bits_in_any_batch_and_thread_count(
    native: NativeKernels, instruction_set: InstructionSet, format: Format
) -> None:
    packed = pack(torch.randn(1000, 128), format)
    x = torch.randn(37, 128)
    whole = native.linear(x, (packed,))
    for start in range(38):
        assert torch.equal(native.linear(x[start:], (packed,)), whole[start:])
    alone = NativeKernels(1, instruction_set)
    assert torch.equal(alone.linear(x, (packed,)), whole)
    alone.close()


def test_an_instruction_set_can_be_asked_for() -> None:
    names = {}
    for choice in InstructionSet:
        kernels = NativeKernels(1, choice)
        names[choice] = kernels.name
        kernels.close()
    assert names[InstructionSet.GENERIC] == "generic"
    assert names[InstructionSet.AVX2] in ("avx2", "generic")
    assert names[InstructionSet.BEST] in ("avx512-vnni", names[InstructionSet.AVX2])


@pytest.mark.slow
def test_the_emulated_kernels_are_those_for_avx512(
    emulated_avx512: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_library, "library_path", lambda: emulated_avx512)
    kernels = NativeKernels(1)
    assert kernels.name == "avx512-vnni"
    kernels.close()


def test_parts_of_different_formats_are_one_matrix(native: NativeKernels) -> None:
    weight, x = torch.randn(90, 192), torch.randn(7, 192)
    parts = (pack(weight[:48], Format.INT4), pack(weight[48:], Format.INT8))
    whole = native.linear(x, parts)
    assert torch.equal(whole[:, :48], native.linear(x, parts[:1]))
    assert torch.equal(whole[:, 48:], native.linear(x, parts[1:]))
    assert_near(whole, TWIN.linear(x, parts), 2e-3)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_native_packing_rounds_like_the_twin(
    native: NativeKernels, format: Format, dtype: torch.dtype
) -> None:
    weight = (torch.randn(100, 192) * 0.05).to(dtype)
    weight[3] = 0.0
    restored = [
        unpack_bf16(packed).float() if format is Format.BF16 else unpack(packed).dequantize()
        for packed in (native.pack(weight, format), pack(weight, format))
    ]
    different = (restored[0] != restored[1]).float().mean()
    assert different < 1e-2  # candidates of equal error
    errors = [(r - weight.float()).norm() / weight.float().norm() for r in restored]
    assert errors[0] == pytest.approx(errors[1].item(), rel=1e-4)
    limit = {Format.INT8: 8e-3, Format.INT4: 9.5e-2, Format.BF16: 3e-3}[format]
    assert errors[0] < limit


def test_packed_rows_can_be_looked_up(native: NativeKernels) -> None:
    weight = torch.randn(50, 64)
    indices = torch.tensor([49, 0, 17, 17])
    for format in Format:
        packed = native.pack(weight, format)
        everything = packed.rows(torch.arange(50))
        assert torch.equal(packed.rows(indices), everything[indices])
        assert (everything - weight).abs().max() < 0.4


def test_activations_too_small_to_scale_count_as_zero(native: NativeKernels) -> None:
    x = torch.zeros(2, 128)
    x[0, :64] = torch.tensor([1e-39, -2e-37, 0.0, 5e-41]).repeat(16)
    x[0, 65] = 1.0
    for format in (Format.INT8, Format.INT4):
        weight = (pack(torch.randn(16, 128), format),)
        x[1] = x[0] * (x[0] == 1.0)
        for kernels in (native, TWIN):
            small, none = kernels.linear(x, weight)
            assert torch.equal(small, none)
