"""What this machine can do at best: read memory and multiply matrices, by the plainest loops."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

NUM_RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes read, and operations of large matrix products, a second."""

    read_bytes: float
    bf16_operations: float
    int8_operations: float

    def describe(self) -> str:
        return (
            f"reading {self.read_bytes / 1e9:.1f} GB/s, "
            f"oneDNN matmul bf16 {self.bf16_operations / 1e9:.0f} GFLOP/s, "
            f"int8 {self.int8_operations / 1e9:.0f} Gop/s"
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
    sum is some percent behind.
    """
    buffer = torch.ones(num_bytes // torch.float32.itemsize)
    return buffer.nbytes / _fastest(lambda: buffer.dot(buffer))


def matmul_flop_per_second(dtype: torch.dtype, size: int = 4096) -> float:
    """Best of some square products; one multiplication and one addition are two operations."""
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    return 2 * size**3 / _fastest(lambda: left @ right)


def int8_operations_per_second(size: int = 4096) -> float:
    """As `matmul_flop_per_second`, of 8-bit integers with 32-bit sums: oneDNN's own product."""
    left, right = (torch.randint(-127, 128, (size, size), dtype=torch.int8) for _ in range(2))
    return 2 * size**3 / _fastest(lambda: torch._int_mm(left, right))


def _fastest(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(NUM_RUNS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
