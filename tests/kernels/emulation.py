"""The native kernels with the instructions of AVX-512 written out, for processors without them."""

from pathlib import Path

from hatch_build import build_library, find_compiler

HERE = Path(__file__).parent
SOURCES = HERE.parent.parent / "kernels" / "native"
FLAGS = (
    # Optimising the written-out instructions takes the compiler minutes.
    "-O1",
    *("-mno-avx512f", "-mavx2", "-mfma", "-mf16c", "-Wno-psabi"),
    *("-include", str(HERE / "emulated_avx512.hpp")),
    # Whatever the kernels ask the processor for, it has.
    "-D__builtin_cpu_supports(feature)=true",
)


def build_emulated_avx512(folder: Path) -> Path:
    """The library in `folder`; it needs AVX2.

    Raises:
        NativeBuildFailed: the compiler refuses a source.
    """
    library = folder / "libgranite_kernels.so"
    build_library(find_compiler(), SOURCES, library, FLAGS)
    return library
