"""Builds the native kernels into the package; where that fails, says why and goes on without."""

import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "kernels/libgranite_kernels.so"
FLAGS = (
    *("-std=c++20", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra"),
    # A product and a sum stay two roundings wherever the code does not ask for one: the compiler's
    # choice would depend on the surroundings, and rows would differ in their last bits.
    "-ffp-contract=off",
    # GCC 12 warns about the undefined lanes inside its own AVX-512 headers.
    *("-Wno-maybe-uninitialized", "-Wno-uninitialized"),
)
# What `native/instruction_set.hpp` looks for in the processor.
AVX2_FLAGS = ("-mavx2", "-mfma", "-mf16c")
AVX512_FLAGS = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma")
AVX512_LINEAR_FLAGS = (*AVX512_FLAGS, "-mavx512vnni")
SHOWN_LINES = 10


class NativeBuildFailed(Exception):
    """There is no working compiler, or it refuses a source; carries its last words."""


class NativeKernelsHook(BuildHookInterface[Any]):
    """The wheel becomes specific to the platform only where the library was built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """A slow installation beats none, so a failure costs the library only."""
        del version
        library = Path(self.root) / LIBRARY
        try:
            build_library(find_compiler(), Path(self.root) / "kernels" / "native", library)
        except NativeBuildFailed as error:
            # An older library need not fit today's callers.
            library.unlink(missing_ok=True)
            self.app.display_warning(
                f"The native kernels are not built, so everything will be several times slower:\n"
                f"{error}"
            )
            return
        build_data["artifacts"].append(LIBRARY)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def find_compiler() -> str:
    """The command line that starts the C++ compiler: $CXX, or what is usual.

    Raises:
        NativeBuildFailed: there is none.
    """
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        raise NativeBuildFailed("no C++ compiler: neither CXX nor c++ nor g++")
    return compiler


def build_library(compiler: str, sources: Path, library: Path, extra: tuple[str, ...] = ()) -> None:
    """Compile every source for its instruction set and link them.

    Raises:
        NativeBuildFailed: the compiler does not run or refuses a source.
    """
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    chosen = [path for path in sorted(sources.glob("*.cpp")) if is_x86 or "avx" not in path.stem]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(
            pool.map(lambda path: compile_source(compiler, path, Path(scratch), extra), chosen)
        )
        linked = library.with_name(f"new-{library.name}")
        run_compiler(compiler, *extra, "-shared", "-pthread", *map(str, objects), "-o", str(linked))
    # A rename replaces the file for whoever loads it next, and leaves running servers theirs.
    linked.replace(library)


def compile_source(compiler: str, source: Path, folder: Path, extra: tuple[str, ...] = ()) -> Path:
    """One object file, for the instruction set that the source's name asks for."""
    compiled = folder / f"{source.stem}.o"
    flags = (*FLAGS, *instruction_set_flags(source.stem), *extra)
    run_compiler(compiler, *flags, "-c", str(source), "-o", str(compiled))
    return compiled


def instruction_set_flags(stem: str) -> tuple[str, ...]:
    if stem.endswith("_avx2"):
        return AVX2_FLAGS
    if stem.endswith("_avx512"):
        return AVX512_LINEAR_FLAGS if stem == "linear_avx512" else AVX512_FLAGS
    return ()


def run_compiler(compiler: str, *arguments: str) -> None:
    try:
        result = subprocess.run(  # noqa: S603 - the user's compiler
            [*shlex.split(compiler), *arguments], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NativeBuildFailed(f"{compiler}: {error.strerror}") from error
    if result.returncode != 0:
        said = "\n".join(result.stderr.splitlines()[-SHOWN_LINES:])
        raise NativeBuildFailed(f"{compiler} failed (exit status {result.returncode}):\n{said}")
