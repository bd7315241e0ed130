"""Builds the native kernels into the package when there is a C++ compiler; without one, says so."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "kernels/libgranite_kernels.so"
FLAGS = [
    *("-std=c++20", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra"),
    # A product and a sum stay two roundings wherever the code does not ask for one: the compiler's
    # choice would depend on the surroundings, and rows would differ in their last bits.
    "-ffp-contract=off",
    # GCC 12 warns about the undefined lanes inside its own AVX-512 headers.
    *("-Wno-maybe-uninitialized", "-Wno-uninitialized"),
]
AVX512_FLAGS = [
    *("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni", "-mavx512bf16"),
    *("-mfma", "-mf16c"),
]


class NativeKernelsHook(BuildHookInterface[Any]):
    """The wheel becomes specific to the platform only where the library was built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version
        compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
        if compiler is None:
            self.app.display_warning("no C++ compiler: the native kernels are not built")
            return
        root = Path(self.root)
        build_library(compiler, root / "kernels" / "native", root / LIBRARY)
        build_data["artifacts"].append(LIBRARY)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def build_library(compiler: str, sources: Path, library: Path, extra: tuple[str, ...] = ()) -> None:
    """Compile every source for its instruction set and link them.

    Raises:
        subprocess.CalledProcessError: the compiler refuses a source.
    """
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    chosen = [path for path in sorted(sources.glob("*.cpp")) if is_x86 or "avx" not in path.stem]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(
            pool.map(lambda path: compile_source(compiler, path, Path(scratch), extra), chosen)
        )
        linked = Path(scratch) / library.name
        _run(compiler, *extra, "-shared", "-pthread", *map(str, objects), "-o", str(linked))
        # A rename replaces the file for whoever loads it next, and leaves running servers theirs.
        shutil.move(linked, library)


def compile_source(compiler: str, source: Path, folder: Path, extra: tuple[str, ...]) -> Path:
    instruction_set = AVX512_FLAGS if "avx512" in source.stem else []
    compiled = folder / f"{source.stem}.o"
    _run(compiler, *FLAGS, *instruction_set, *extra, "-c", str(source), "-o", str(compiled))
    return compiled


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - the user's compiler
