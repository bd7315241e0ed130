"""Where a step's time goes, measured from outside: the kernels' operations are wrapped meanwhile.

The product holds no timing code; a name that no longer exists fails loudly here.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar
from unittest.mock import patch

from torch.autograd.profiler_util import EventList
from torch.profiler import ProfilerActivity, profile

from kernels.interface import Kernels
from model_loader.network import Network

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

KERNELS = {
    "linear": "linear layers",
    "convolve_silu": "state space",
    "advance_state": "state space",
    "time_step": "state space",
    "attend": "attention",
    "rms_norm": "norms and activations",
    "gated_rms_norm": "norms and activations",
    "silu_and_multiply": "norms and activations",
}
"""Category of each operation of `kernels.interface.Kernels`; the head is a linear layer."""

BATCH_LAYOUT = "batch layout"
SAMPLING = "sampling"
BETWEEN = "between"
"""The rest of a step: Python, dispatch, and the small operations around the kernels, such as
residual additions, splits, gathers and the multipliers."""


class OperationClock:
    """Exclusive seconds by category: what a measured block spends in inner ones is not its own."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner_seconds = 0.0

    @contextmanager
    def measure(self, category: str) -> Iterator[None]:
        outer, self._inner_seconds = self._inner_seconds, 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[category] += elapsed - self._inner_seconds
            self._inner_seconds = outer + elapsed

    @contextmanager
    def wrapping(self, kernels: Kernels) -> Iterator[None]:
        """Time every operation of `kernels` while the block runs."""
        with ExitStack() as stack:
            for name, category in KERNELS.items():
                timed = self._timed(category, getattr(kernels, name))
                stack.enter_context(patch.object(kernels, name, timed))
            yield

    def shares(self) -> dict[str, float]:
        """Of all measured seconds; they add up to 1. Largest first."""
        total = sum(self.seconds.values())
        ordered = sorted(self.seconds.items(), key=lambda item: -item[1])
        return {category: seconds / total for category, seconds in ordered}

    def _timed(
        self, category: str, function: Callable[Parameters, Result]
    ) -> Callable[Parameters, Result]:
        @wraps(function)
        def timed(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with self.measure(category):
                return function(*args, **kwargs)

        return timed


@contextmanager
def one_by_one(network: Network) -> Iterator[None]:
    """Meanwhile layers run operation by operation, even where one call would do them all."""
    with patch.dict(vars(network), native_layers=None):
        yield


def share_outside_operators(work: Callable[[], None]) -> float:
    """Of the time of `work`, the part during which no torch operator ran.

    That is Python, the way to each operator, and calls into other libraries than torch. The
    profiler's own cost lies there too, so it is an upper bound.
    """
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        work()
        total = time.perf_counter() - start
    events = profiler.events()
    if not isinstance(events, EventList):
        raise TypeError("the profiler recorded no events")
    outermost = [event for event in events if event.cpu_parent is None]
    inside = sum(float(event.cpu_time_total) for event in outermost) / 1e6
    return max(0.0, 1 - inside / total)
