"""The native kernels of every instruction set, also of one that the processor lacks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels import native_library
from kernels.native_library import NativeKernels
from kernels.native_structures import InstructionSet
from tests.kernels.emulation import build_emulated_avx512

EMULATED = "avx512-emulated"


@pytest.fixture(
    params=[*InstructionSet, pytest.param(EMULATED, marks=pytest.mark.slow)],
    ids=lambda choice: choice if choice == EMULATED else choice.name.lower(),
)
def instruction_set(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> InstructionSet:
    if request.param == EMULATED:
        library: Path = request.getfixturevalue("emulated_avx512")
        monkeypatch.setattr(native_library, "library_path", lambda: library)
        return InstructionSet.BEST
    choice: InstructionSet = request.param
    return choice


@pytest.fixture(scope="session")
def emulated_avx512(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kernels = NativeKernels(1, InstructionSet.AVX2)
    name = kernels.name
    kernels.close()
    if name != "avx2":
        pytest.skip("the emulation of AVX-512 needs AVX2")
    return build_emulated_avx512(tmp_path_factory.mktemp("emulated"))


@pytest.fixture
def native(instruction_set: InstructionSet) -> Iterator[NativeKernels]:
    kernels = NativeKernels(2, instruction_set)
    yield kernels
    kernels.close()
