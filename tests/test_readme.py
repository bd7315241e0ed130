"""The README promises commands, flags and folders: each must be there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from server.cli import app
from server.command_line import flag_of
from server.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCKER_AND_CURL_FLAGS = {"--stop-timeout", "--build-arg", "--gpus"}


def dry_run(*arguments: str) -> str:
    """What make would execute if nothing were installed yet."""
    make = shutil.which("make")
    assert make, "make is needed"
    command = [make, "--dry-run", "--no-print-directory", *arguments, "VENV=no-such-venv"]
    of_an_outer_make = {"MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MODEL", "PORT", "ARGS"}
    environment = {name: text for name, text in os.environ.items() if name not in of_an_outer_make}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?\bmake ([a-z]+)", README))))
def test_every_make_target_named_in_the_readme_exists(target: str) -> None:
    assert dry_run(target)


def test_make_passes_model_port_and_arguments_to_the_server() -> None:
    plan = dry_run("serve", "MODEL=some/model", "PORT=8123", "ARGS=--context-length 64")
    served = "granite-server serve --model 'some/model' --port '8123' --context-length 64"
    assert plan.splitlines()[-1].replace('"', "'").endswith(served)


def test_make_leaves_the_defaults_to_the_settings() -> None:
    assert dry_run("serve").splitlines()[-1].rstrip().endswith("granite-server serve")


@pytest.mark.parametrize(("gpu_answers", "build"), [(True, "torch==2.13.0"), (False, "+cpu")])
def test_the_build_of_torch_follows_the_machine(
    gpu_answers: bool, build: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = tmp_path / "nvidia-smi"
    probe.write_text("#!/bin/sh\n" + ("exit 0\n" if gpu_answers else "exit 9\n"))
    probe.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    plan = dry_run("install")
    assert build in plan
    assert ("whl/cpu" in plan) is not gpu_answers


def test_every_subcommand_named_in_the_readme_exists() -> None:
    known = set(typer.main.get_group(app).commands)
    named = set(re.findall(r"granite-server (serve|[a-z]+) ?(?:[\"`-]|$)", README, re.M))
    assert named
    assert named <= known


def test_every_flag_and_variable_named_in_the_readme_exists() -> None:
    flags = set(re.findall(r"(?<![\w-])--[a-z-]+", README)) - DOCKER_AND_CURL_FLAGS
    assert flags <= {flag_of(name) for name in Settings.model_fields} | {"--help"}
    variables = set(re.findall(r"GRANITE_([A-Z_]+)", README))
    assert {name.lower() for name in variables} <= set(Settings.model_fields)


def test_every_folder_has_its_line_in_the_readme() -> None:
    for folder in ("server", "engine", "model_loader", "sampling", "kernels", "benchmarks", "docs"):
        assert re.search(rf"^{folder}/ +\w", README, re.M), folder
