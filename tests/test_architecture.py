"""Rules that no type can state: who imports whom, what is banned, how long a file may be."""

import ast
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from server.version import VERSION

ROOT = Path(__file__).parent.parent
PACKAGES = ("server", "engine", "model_loader", "sampling", "kernels")
MAX_LINES = 300
PRINTING_FILES = {"server/cli.py"}
BANNED_MODULES = {"pickle", "cPickle", "dill", "shelve", "marshal", "cloudpickle", "joblib"}
BANNED_CALLS = {"eval", "exec", "torch.load"}
TRAINING_TOOLS = {"model_loader/demo/train.py", "model_loader/demo/export.py"}
"""They resume from their own snapshots, weights only; nothing that serves imports them."""
# The release that closed a hole which this program would be open to.
VERSION_FLOORS = {
    "starlette": (1, 0, 1),
    "h11": (0, 16),
    "jinja2": (3, 1, 6),
    "torch": (2, 10),
    "transformers": (5, 3),
}


def tracked_files() -> list[Path]:
    """Files under version control, and new ones that will be."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for line in listing.splitlines() if (path := ROOT / line).is_file()]


def python_sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def calls_in(tree: ast.AST) -> set[str]:
    """Names of everything called, 'module.name' for attributes."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def modules_imported_by(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_each_layer_imports_only_what_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True, no_logo=True) == 0


def test_the_package_markers_are_empty() -> None:
    """import-linter does not follow them, so nothing may hide there."""
    markers = [path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")]
    assert [path for path in markers if path.read_text()] == []


def test_no_file_is_too_long_to_read_at_once() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in python_sources(*PACKAGES, "tests", "benchmarks", "reference")
    }
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_nothing_but_the_command_prints() -> None:
    printing = {
        path.relative_to(ROOT).as_posix()
        for path in python_sources(*PACKAGES)
        if "print" in calls_in(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert printing <= PRINTING_FILES


def test_nothing_can_run_code_that_came_as_data() -> None:
    for path in python_sources(*PACKAGES):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not modules_imported_by(tree) & BANNED_MODULES, path
        if path.relative_to(ROOT).as_posix() not in TRAINING_TOOLS:
            assert not calls_in(tree) & BANNED_CALLS, path


@pytest.mark.parametrize("name", VERSION_FLOORS)
def test_no_dependency_is_older_than_its_security_fix(name: str) -> None:
    numbers = re.match(r"[\d.]+", version(name))
    assert numbers
    assert tuple(int(part) for part in numbers[0].split(".")) >= VERSION_FLOORS[name]


def test_the_changelog_begins_with_the_packages_version() -> None:
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert versions[0] == VERSION


def test_every_file_that_the_documents_name_exists() -> None:
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for document in documents:
        named = re.findall(
            r"[`(]((?:[\w.]+/)+[\w.]+|[\w]+\.(?:md|py|toml|yaml))[`)#]", document.read_text()
        )
        missing = [name for name in named if not (ROOT / name).exists()]
        assert [name for name in missing if not (document.parent / name).exists()] == [], document


def test_no_committed_file_names_the_directory_it_was_written_in() -> None:
    places = [str(place) for place in (ROOT, Path.home()) if len(place.parts) > 2]
    for path in tracked_files():
        content = path.read_bytes()
        assert not [place for place in places if place.encode() in content], path


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "tool", [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"]], ids=" ".join
)
def test_the_code_passes_the_tools_of_make_check(tool: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
