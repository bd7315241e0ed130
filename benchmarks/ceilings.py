"""What this machine can do at best: read memory and multiply matrices, by the plainest loops."""

import time
from collections.abc import Callable

import torch

NUM_RUNS = 5


def read_bytes_per_second(num_bytes: int = 2**30) -> float:
    """Best of some sums over a buffer that no cache holds, with torch's threads."""
    buffer = torch.ones(num_bytes // torch.float32.itemsize)
    return buffer.nbytes / _fastest(buffer.sum)


def matmul_flop_per_second(dtype: torch.dtype, size: int = 4096) -> float:
    """Best of some square products; one multiplication and one addition are two operations."""
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    return 2 * size**3 / _fastest(lambda: left @ right)


def _fastest(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(NUM_RUNS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
