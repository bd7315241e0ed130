"""What a user installs: the wheel's contents, the Dockerfile's steps, the Makefile's torch."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from server.version import VERSION

ROOT = Path(__file__).parent.parent
PACKAGES = {"server", "engine", "model_loader", "sampling", "kernels"}
DEMO_CHECKPOINT = "model_loader/demo/checkpoint"
NATIVE_LIBRARY = "kernels/libgranite_kernels.so"
TORCH_PIN = re.compile(r'"torch==([\d.]+)(?:\+cpu)?"')
NOT_FOR_BUILDING = shutil.ignore_patterns(
    ".*", "__pycache__", "node_modules", "tests", "benchmarks", "reference", "build", "dist", "*.so"
)


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Standard output of a command that must succeed."""
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def docker_run_steps(marker: str) -> list[str]:
    """Shell commands of the Dockerfile's RUN instructions that contain `marker`, in order."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN ")]
    return [step for step in steps if marker in step]


def test_the_dockerfile_passes_its_linter() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    assert run(hadolint, "--no-color", "Dockerfile") == ""


def test_the_dockerfile_copies_every_package_and_runs_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text()
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    for package in PACKAGES:
        assert f"COPY {package} {package}\n" in text
        assert f"!{package}" in ignore
    assert re.search(r"^USER \d+$", text, re.M)
    assert re.search(r'^ENTRYPOINT \["granite-server"\]$', text, re.M)
    assert "STOPSIGNAL SIGTERM" in text


def test_one_torch_is_named_everywhere() -> None:
    makefile = re.search(r"^TORCH_VERSION := ([\d.]+)$", (ROOT / "Makefile").read_text(), re.M)
    assert makefile
    named = set(TORCH_PIN.findall((ROOT / "Dockerfile").read_text()))
    assert named == {makefile[1]} == {version("torch").split("+")[0]}


def test_every_dependency_has_a_range_and_a_tested_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    for requirement in project["dependencies"] + project["optional-dependencies"]["dev"]:
        name, bounds = re.fullmatch(r"([\w-]+)(?:\[\w+\])?(.*)", requirement).groups()  # type: ignore[union-attr]  # a failed match fails the test
        assert re.fullmatch(r"==.+|>=.+,<.+", bounds), requirement
        assert name in pinned | {"torch"}, f"{name} is not in constraints.txt"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_holds_the_packages_and_the_demo_checkpoint_and_nothing_else(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=NOT_FOR_BUILDING)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == PACKAGES | {
        f"granite_server-{VERSION}.dist-info"
    }
    assert NATIVE_LIBRARY in names
    assert {name for name in names if name.startswith(DEMO_CHECKPOINT)} == {
        path.relative_to(ROOT).as_posix() for path in (ROOT / DEMO_CHECKPOINT).iterdir()
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_dockerfiles_pip_steps_install_a_working_command(tmp_path: Path) -> None:
    """No Docker engine is needed: the same RUN lines, with a virtual environment elsewhere."""
    source, venv = tmp_path / "source", tmp_path / "venv"
    shutil.copytree(ROOT, source, ignore=NOT_FOR_BUILDING)
    run(sys.executable, "-m", "venv", venv)
    steps = docker_run_steps("pip install")
    assert len(steps) == 3
    for step in steps:
        run(
            "bash",
            "-c",
            f'export PIP_NO_COMPILE=1 PATH="{venv}/bin:$PATH" TORCH=cpu; {step}',
            cwd=source,
        )
    assert (
        run(venv / "bin/granite-server", "version", cwd=tmp_path) == f"granite-server {VERSION}\n"
    )
    where = "import model_loader.demo as demo; print(demo.__path__[0])"
    installed = Path(run(venv / "bin/python", "-c", where, cwd=tmp_path).strip())
    assert venv in installed.parents
    assert (installed / "checkpoint" / "config.json").is_file()
    assert (installed.parent.parent / NATIVE_LIBRARY).is_file()
