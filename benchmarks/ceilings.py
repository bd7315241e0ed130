"""What this machine can do at best: read memory and multiply matrices, by the plainest loops."""

import mmap
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

NUM_RUNS = 5
TRIAL_SIZE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes read, and operations of large matrix products, a second."""

    read_bytes: float
    bf16_operations: float
    int8_operations: float

    def describe(self) -> str:
        return (
            f"reading {self.read_bytes / 1e9:.1f} GB/s, "
            f"matmul bf16 (or fp32) {self.bf16_operations / 1e9:.0f} GFLOP/s, "
            f"oneDNN int8 {self.int8_operations / 1e9:.0f} Gop/s"
        )


def measure_limits(threads: int) -> Limits:
    """All three, with that many threads of torch; takes some seconds."""
    torch.set_num_threads(threads)
    return Limits(
        read_bytes=read_bytes_per_second(),
        bf16_operations=matmul_flop_per_second(torch.bfloat16),
        int8_operations=int8_operations_per_second(),
    )


def median_limits(measured: Sequence[Limits]) -> Limits:
    return Limits(
        read_bytes=statistics.median(limits.read_bytes for limits in measured),
        bf16_operations=statistics.median(limits.bf16_operations for limits in measured),
        int8_operations=statistics.median(limits.int8_operations for limits in measured),
    )


def read_bytes_per_second(num_bytes: int = 2**30) -> float:
    """Best of some passes over a buffer that no cache holds, with torch's threads.

    A vector's product with itself is the operation that reads as fast as a loop in C does; a plain
    sum is some percent behind. In huge pages where there are any, as the server's weights.
    """
    memory = mmap.mmap(-1, num_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    buffer = torch.frombuffer(memory, dtype=torch.float32).fill_(1.0)
    return num_bytes / _fastest(lambda: buffer.dot(buffer))


def matmul_flop_per_second(dtype: torch.dtype, size: int = 4096) -> float:
    """Best of some square products; one multiplication and one addition are two operations.

    In `dtype`, or in fp32 where a processor without instructions for `dtype` is faster so.
    """
    return _rate_of_fastest([_plain_product(dtype), _plain_product(torch.float32)], size)


def int8_operations_per_second(size: int = 4096) -> float:
    """As `matmul_flop_per_second`, of 8-bit integers with 32-bit sums: oneDNN's own products.

    torch reaches them by two ways, of which the first has a fast form for AVX-512 only.
    """
    return _rate_of_fastest([_integer_product, _quantized_linear], size)


Product = Callable[[int], Callable[[], object]]
"""Makes the operands of a square product of that size; returns what multiplies them."""


def _plain_product(dtype: torch.dtype) -> Product:
    def prepare(size: int) -> Callable[[], object]:
        left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
        return lambda: left @ right

    return prepare


def _integer_product(size: int) -> Callable[[], object]:
    left, right = (torch.randint(-127, 128, (size, size), dtype=torch.int8) for _ in range(2))
    return lambda: torch._int_mm(left, right)


def _quantized_linear(size: int) -> Callable[[], object]:
    onednn = torch.ops.onednn
    activations = torch.randint(0, 256, (size, size), dtype=torch.uint8)
    weights = torch.randint(-127, 128, (size, size), dtype=torch.int8)
    packed = onednn.qlinear_prepack(weights, [size, size])
    scales, zero_points = torch.ones(size), torch.zeros(size, dtype=torch.int32)
    inputs = (activations, 1.0, 0, packed, scales, zero_points, None)
    return lambda: onednn.qlinear_pointwise(*inputs, 1.0, 0, torch.float32, "none", [], "")


def _rate_of_fastest(products: Sequence[Product], size: int) -> float:
    """The slow ones are found at a small size: at the full one some take minutes."""
    fastest = min(products, key=lambda prepare: _fastest(prepare(min(size, TRIAL_SIZE))))
    return 2 * size**3 / _fastest(fastest(size))


def _fastest(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(NUM_RUNS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
