"""Every exported operation over odd sizes, watched for memory errors and for races."""

import os
import subprocess
from pathlib import Path

import pytest

from hatch_build import NativeBuildFailed, build_library, find_compiler, run_compiler

HERE = Path(__file__).parent
SOURCES = HERE.parent.parent / "kernels" / "native"
DEBUG = ("-O1", "-g", "-fno-omit-frame-pointer")
MEMORY = ("-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")
THREADS = ("-fsanitize=thread",)


def require_sanitizer(compiler: str, folder: Path, flags: tuple[str, ...]) -> None:
    """Skips where the compiler comes without the sanitizer, or the kernel does not let it run."""
    source, program = folder / "empty.cpp", folder / "empty"
    source.write_text("int main() {}")
    try:
        run_compiler(compiler, *flags, str(source), "-o", str(program))
        subprocess.run([program], check=True, capture_output=True)
    except (NativeBuildFailed, subprocess.CalledProcessError):
        pytest.skip(f"no {flags[0]} here")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("sanitizer", [MEMORY, THREADS], ids=["memory", "threads"])
def test_a_sanitizer_finds_nothing_in_the_native_kernels(
    tmp_path: Path, sanitizer: tuple[str, ...]
) -> None:
    try:
        compiler = find_compiler()
    except NativeBuildFailed:
        pytest.skip("no C++ compiler")
    require_sanitizer(compiler, tmp_path, sanitizer)
    library, driver = tmp_path / "libgranite_kernels.so", tmp_path / "driver"
    flags = (*sanitizer, *DEBUG)
    build_library(compiler, SOURCES, library, flags)
    run_compiler(
        compiler,
        *("-std=c++20", "-pthread", "-I", str(SOURCES), *flags),
        *(str(HERE / "native_driver.cpp"), str(library), "-o", str(driver)),
        "-Wl,-rpath,$ORIGIN",
    )
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1"}
    result = subprocess.run([driver], capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "every operation ran\n"
