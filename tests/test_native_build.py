"""Installing with a compiler, without one, with a broken one, and for other processors."""

import ctypes
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.bridge.app import Application

from hatch_build import (
    FLAGS,
    LIBRARY,
    NativeKernelsHook,
    build_library,
    compile_source,
    find_compiler,
    instruction_set_flags,
    run_compiler,
)
from kernels import native_library
from kernels.native_library import NativeKernels, NativeKernelsMissing

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "kernels" / "native"
ARM_COMPILER = "aarch64-linux-gnu-g++"
needs_compiler = pytest.mark.skipif(
    not (shutil.which("c++") or shutil.which("g++")), reason="no C++ compiler"
)


class RecordingApplication(Application):
    """What hatchling would show."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def display_warning(self, message: str = "", **_: Any) -> None:
        self.warnings.append(message)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one small native source, with the library of an earlier installation."""
    (tmp_path / "kernels/native").mkdir(parents=True)
    (tmp_path / "kernels/native/answer.cpp").write_text(
        '#pragma GCC visibility push(default)\nextern "C" int answer() { return 42; }\n'
    )
    (tmp_path / LIBRARY).write_text("old")
    return tmp_path


def run_hook(project: Path) -> tuple[dict[str, Any], list[str]]:
    """The build data as the hook leaves it, and its warnings."""
    app = RecordingApplication()
    build_data: dict[str, Any] = {"artifacts": [], "pure_python": True, "infer_tag": False}
    hook = NativeKernelsHook(str(project), {}, None, None, str(project), "wheel", app)  # type: ignore[arg-type]  # the hook reads no metadata
    hook.initialize("standard", build_data)
    return build_data, app.warnings


def assert_pure(build_data: dict[str, Any], project: Path) -> None:
    assert build_data == {"artifacts": [], "pure_python": True, "infer_tag": False}
    assert not (project / LIBRARY).exists()


@needs_compiler
def test_the_hook_builds_the_library_in_place_and_makes_the_wheel_specific(project: Path) -> None:
    build_data, warnings = run_hook(project)
    assert build_data == {"artifacts": [LIBRARY], "pure_python": False, "infer_tag": True}
    assert warnings == []
    assert ctypes.CDLL(str(project / LIBRARY)).answer() == 42


def test_without_a_compiler_the_hook_warns_and_the_wheel_is_pure(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(project))
    build_data, (warning,) = run_hook(project)
    assert "no C++ compiler" in warning
    assert_pure(build_data, project)


def test_a_compiler_that_is_not_there_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "/nowhere/g++")
    build_data, (warning,) = run_hook(project)
    assert "/nowhere/g++: No such file" in warning
    assert_pure(build_data, project)


def test_a_compiler_that_fails_is_quoted_and_costs_the_library_only(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = project / "broken"
    compiler.write_text("#!/bin/sh\nseq 100 >&2\nexit 3\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", f"{compiler} --flag")
    build_data, (warning,) = run_hook(project)
    assert "exit status 3" in warning
    assert warning.splitlines()[-10:] == [str(line) for line in range(91, 101)]
    assert_pure(build_data, project)


@needs_compiler
def test_a_source_that_does_not_compile_costs_the_library_only(project: Path) -> None:
    (project / "kernels/native/wrong.cpp").write_text("int f() { return nothing; }\n")
    build_data, (warning,) = run_hook(project)
    assert "wrong.cpp" in warning
    assert "nothing" in warning
    assert_pure(build_data, project)


def test_native_kernels_say_in_one_line_that_they_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_library, "library_path", lambda: tmp_path / "absent.so")
    with pytest.raises(NativeKernelsMissing, match=r"^absent\.so was not built[^\n]*$"):
        NativeKernels(1)


def features_asked_for(check: str) -> set[str]:
    """What a function of the header asks the processor for, itself and through others."""
    header = (SOURCES / "instruction_set.hpp").read_text()
    (body,) = re.findall(rf"bool {check}\(\) {{(.*?)}}", header, re.S)
    features = set(re.findall(r'__builtin_cpu_supports\("(\w+)"\)', body))
    return features.union(*(features_asked_for(other) for other in re.findall(r"has_\w+", body)))


@pytest.mark.parametrize(
    ("check", "source"),
    [
        ("has_avx2", "linear_avx2"),
        ("has_avx512", "rowwise_avx512"),
        ("has_avx512_vnni", "linear_avx512"),
    ],
)
def test_the_processor_is_asked_for_every_feature_that_the_flags_allow(
    check: str, source: str
) -> None:
    allowed = {flag.removeprefix("-m") for flag in instruction_set_flags(source)}
    assert features_asked_for(check) == allowed


@needs_compiler
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_sources_compile_without_a_warning_into_a_library(tmp_path: Path) -> None:
    library = tmp_path / "library.so"
    build_library(find_compiler(), SOURCES, library, ("-Werror",))
    assert hasattr(ctypes.CDLL(str(library)), "granite_create")


@needs_compiler
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("nm") is None, reason="no binutils")
def test_no_function_compiled_for_one_processor_can_replace_a_generic_one(tmp_path: Path) -> None:
    """Of an inline function in two objects the linker keeps one, and it may be the wrong one."""
    for source in sorted(SOURCES.glob("*_avx*.cpp")):
        compiled = compile_source(find_compiler(), source, tmp_path)
        symbols = subprocess.run(
            ["nm", "--demangle", compiled], capture_output=True, text=True, check=True
        ).stdout
        assert re.search(r"avx\w+_kernels\(\)", symbols)
        assert not re.findall(r"^\S* [WVu] .*", symbols, re.M)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("compiler", "flags"), [("g++", ("-march=x86-64",)), (ARM_COMPILER, ())], ids=["x86-64", "arm"]
)
def test_the_generic_sources_compile_for_plain_processors(
    tmp_path: Path, compiler: str, flags: tuple[str, ...]
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for source in sorted(SOURCES.glob("*.cpp")):
        if "avx" not in source.stem:
            run_compiler(
                compiler,
                *(*FLAGS, *flags, "-Werror", "-c", str(source), "-o", str(tmp_path / "object.o")),
            )


@needs_compiler
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_holds_the_library_and_the_source_archive_what_it_is_built_from(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "*.so", "dist", "demo")
    shutil.copytree(ROOT, source, ignore=ignored)
    shutil.copy(ROOT / ".gitignore", source)
    (source / LIBRARY).write_text("of another machine")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path / "dist")]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    assert "py3-none-any" not in wheel.name
    packed = zipfile.ZipFile(wheel)
    assert packed.read(LIBRARY).startswith(b"\x7fELF")
    assert b"Root-Is-Purelib: false" in packed.read(
        next(name for name in packed.namelist() if name.endswith("dist-info/WHEEL"))
    )
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {path.relative_to(ROOT).as_posix() for path in SOURCES.iterdir()} < names
    assert "hatch_build.py" in names
    assert LIBRARY not in names
