"""What a native result is compared with."""

from torch import Tensor

from kernels.torch_kernels import TorchKernels

TWIN = TorchKernels()


def assert_near(actual: Tensor, expected: Tensor, tolerance: float = 3e-6) -> None:
    scale = expected.abs().max().clamp(min=1.0)
    assert (actual - expected).abs().max() <= tolerance * scale
