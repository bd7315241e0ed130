"""The native kernels against their torch twins, and each row against itself in any grouping.

The linear layers have a file of their own.
"""

import pytest
import torch
from torch import Tensor

from kernels.interface import Kernels, Span, StatePool
from kernels.library_path import library_path
from kernels.native_library import NativeKernels
from kernels.packing import Format, pack
from tests.kernels.twin import TWIN, assert_near

pytestmark = pytest.mark.skipif(
    not library_path().exists(), reason="installed without a C++ compiler"
)
NO_PAGES = torch.tensor([0])


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(7)


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
