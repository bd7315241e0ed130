"""The native kernels against their torch twins, and each row against itself in any grouping."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from kernels.interface import Kernels, Span, StatePool
from kernels.library_path import library_path
from kernels.native_library import NativeKernels
from kernels.native_structures import InstructionSet
from kernels.packing import Format, pack, unpack, unpack_bf16
from kernels.quantized_linear import quantize_rows
from kernels.torch_kernels import TorchKernels

pytestmark = pytest.mark.skipif(
    not library_path().exists(), reason="installed without a C++ compiler"
)
TWIN = TorchKernels()
NO_PAGES = torch.tensor([0])


@pytest.fixture(params=InstructionSet, ids=lambda choice: choice.name.lower())
def instruction_set(request: pytest.FixtureRequest) -> InstructionSet:
    choice: InstructionSet = request.param
    return choice


@pytest.fixture
def native(instruction_set: InstructionSet) -> Iterator[NativeKernels]:
    kernels = NativeKernels(2, instruction_set)
    yield kernels
    kernels.close()


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(7)


def assert_near(actual: Tensor, expected: Tensor, tolerance: float = 3e-6) -> None:
    scale = expected.abs().max().clamp(min=1.0)
    assert (actual - expected).abs().max() <= tolerance * scale


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
@pytest.mark.parametrize("neighbours", [(1.0, 1.0), (1.0, -1.0), (1.0, 0.0), (1.0, 0.01)])
def test_the_largest_products_fit(
    native: NativeKernels, format: Format, neighbours: tuple[float, float]
) -> None:
    """Where 16 bits would overflow: all products of a group as large as they can be."""
    signs = torch.tensor([1.0, -1.0])
    packed = pack(torch.ones(64, 64) * signs.repeat(32)[:, None], format)
    x = torch.tensor(neighbours).repeat(32) * signs.repeat(10)[:19, None]
    assert torch.equal(native.linear(x, (packed,)), TWIN.linear(x, (packed,)))


def test_rounded_neighbours_add_up_to_what_16_bits_hold() -> None:
    equal = torch.randn(500, 128).repeat_interleave(2, dim=1)
    for rows in (torch.randn(500, 256), torch.randn(500, 256) ** 3, equal):
        values, _ = quantize_rows(rows)
        sums = (values[..., 0::2] + values[..., 1::2]).abs().amax(-1)
        assert sums.max() <= 128
        # No coarser than that takes.
        assert torch.maximum(values.abs().amax(-1), sums).min() >= 126


@pytest.mark.parametrize("format", Format)
def test_a_row_of_a_linear_layer_has_the_same_bits_in_any_batch_and_thread_count(
    native: NativeKernels, instruction_set: InstructionSet, format: Format
) -> None:
    packed = pack(torch.randn(1000, 128), format)
    x = torch.randn(37, 128)
    whole = native.linear(x, (packed,))
    for start, count in ((0, 1), (3, 2), (5, 16), (7, 17), (36, 1)):
        part = native.linear(x[start : start + count], (packed,))
        assert torch.equal(part, whole[start : start + count])
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


SHAPES = [
    (4, 16, 1, 24, 8),
    (64, 64, 1, 128, 16),
    (6, 24, 2, 40, 16),
    (3, 48, 3, 16, 16),
    (5, 8, 1, 9, 16),
    (2, 128, 2, 33, 64),
]
"""Heads, channels, groups, state dimensions, block length."""


def random_pool(shape: tuple[int, int, int, int, int]) -> StatePool:
    heads, channels, groups, state, block = shape
    generator = torch.Generator().manual_seed(5)

    def random(*sizes: int) -> Tensor:
        return torch.rand(sizes, generator=generator)

    return StatePool(
        random(5, heads, state, channels) - 0.5,
        random(5, block, heads, channels) - 0.5,
        random(5, block, groups, state) - 0.5,
        random(5, block, heads),
        random(5, 3, heads * channels + 2 * groups * state) - 0.5,
    )


def spans_of(lengths_and_starts: list[tuple[int, int]]) -> list[Span]:
    spans, row = [], 0
    for slot, (length, start) in enumerate(lengths_and_starts):
        spans.append(Span(slice(row, row + length), slot, start, NO_PAGES))
        row += length
    return spans


@pytest.mark.parametrize("shape", SHAPES)
def test_convolution_and_state_space_are_their_twins(
    native: NativeKernels, shape: tuple[int, int, int, int, int]
) -> None:
    heads, channels, groups, state, block = shape
    width = heads * channels + 2 * groups * state
    spans = spans_of([(1, block - 1), (5, 3), (37, 0), (20, 2 * block + 5)])
    x = torch.randn(63, width + 50)[:, 20 : 20 + width]
    weight, bias = torch.randn(4, width), torch.randn(width)
    dt, a, d = torch.rand(63, heads), -torch.rand(heads), torch.randn(heads)
    pools = random_pool(shape), random_pool(shape)
    results = []
    both: tuple[Kernels, Kernels] = (TWIN, native)
    for kernels, pool in zip(both, pools, strict=True):
        convolved = kernels.convolve_silu(x, pool, spans, weight, bias)
        results.append(kernels.advance_state(convolved, dt, pool, spans, a, d))
    assert_near(results[1], results[0])
    assert_near(pools[1].boundary, pools[0].boundary)
    assert torch.equal(pools[1].windows, pools[0].windows)
    for span in spans:
        if (open_rows := (span.start + span.num_rows) % block) == 0:
            continue
        for ring in ("ring_x", "ring_b", "ring_dt"):
            kept = [getattr(pool, ring)[span.slot, :open_rows] for pool in pools]
            assert_near(kept[1], kept[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_the_state_space_one_by_one_have_the_same_bits(
    native: NativeKernels, shape: tuple[int, int, int, int, int]
) -> None:
    heads, channels, groups, state, block = shape
    width = heads * channels + 2 * groups * state
    x, dt = torch.randn(45, width), torch.rand(45, heads)
    a, d = -torch.rand(heads), torch.randn(heads)
    whole_pool, pieces_pool = random_pool(shape), random_pool(shape)
    whole = native.advance_state(x, dt, whole_pool, [Span(slice(0, 45), 2, 3, NO_PAGES)], a, d)
    for row in range(45):
        span = Span(slice(0, 1), 2, 3 + row, NO_PAGES)
        one = slice(row, row + 1)
        piece = native.advance_state(x[one], dt[one], pieces_pool, [span], a, d)
        assert torch.equal(piece, whole[one])
    assert torch.equal(whole_pool.boundary, pieces_pool.boundary)


@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_dim"), [(6, 2, 16), (32, 8, 64), (4, 4, 20), (2, 1, 8), (3, 3, 128)]
)
def test_attention_is_its_twin_and_its_own_in_any_grouping(
    native: NativeKernels, heads: int, kv_heads: int, head_dim: int
) -> None:
    keys, values = torch.randn(2, 12, 32, kv_heads, head_dim)
    queries = torch.randn(71, heads, head_dim)
    first = Span(slice(0, 1), 0, 40, torch.tensor([5, 2]))
    second = Span(slice(1, 71), 1, 0, torch.tensor([7, 1, 3]))
    whole = native.attend(queries, keys, values, [first, second], 0.125)
    assert_near(whole, TWIN.attend(queries, keys, values, [first, second], 0.125))
    for row in (0, 15, 16, 33, 69):
        alone = Span(slice(0, 1), 1, row, second.pages)
        part = native.attend(queries[1 + row : 2 + row], keys, values, [alone], 0.125)
        assert torch.equal(part[0], whole[1 + row])


@pytest.mark.parametrize("width", [6, 16, 40, 66])
def test_rowwise_operations_are_their_twins(native: NativeKernels, width: int) -> None:
    x, gates = torch.randn(9, width), torch.randn(9, 2 * width)
    weight, bias = torch.randn(width), torch.randn(6)
    gate = gates[:, width:]
    assert_near(native.rms_norm(x, weight, 1e-5), TWIN.rms_norm(x, weight, 1e-5))
    assert_near(
        native.gated_rms_norm(x, gate, weight, 1e-5, 2),
        TWIN.gated_rms_norm(x, gate, weight, 1e-5, 2),
    )
    assert_near(native.silu_and_multiply(gates), TWIN.silu_and_multiply(gates))
    steps = gates[:, 3:9]
    assert_near(native.time_step(steps, bias, 0.0, 9.0), TWIN.time_step(steps, bias, 0.0, 9.0))


def test_non_finite_values_stay_visible(native: NativeKernels) -> None:
    x = torch.full((1, 64), torch.nan)
    assert native.silu_and_multiply(x).isnan().all()
    assert native.rms_norm(x, torch.ones(64), 1e-5).isnan().all()
    for place in (0, 63):
        one = torch.randn(1, 64)
        one[0, place] = torch.nan
        for format in Format:
            assert not native.linear(one, (pack(torch.randn(16, 64), format),)).isfinite().any()


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


def test_a_slice_where_whole_rows_are_needed_is_refused(native: NativeKernels) -> None:
    with pytest.raises(ValueError, match="contiguous"):
        native.rms_norm(torch.randn(4, 32)[:, :16], torch.ones(16), 1e-5)


def test_sizes_beyond_what_the_native_code_has_room_for_are_refused(native: NativeKernels) -> None:
    pool = random_pool((2, 16, 1, 16, 65))
    x, span = torch.randn(1, 64), Span(slice(0, 1), 0, 0, NO_PAGES)
    with pytest.raises(ValueError, match="at most 64 rows of a block, not 65"):
        native.advance_state(x, torch.rand(1, 2), pool, [span], torch.zeros(2), torch.zeros(2))
    with pytest.raises(ValueError, match="at most 8 taps"):
        native.convolve_silu(x, pool, [span], torch.randn(9, 64), torch.randn(64))
