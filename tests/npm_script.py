"""Runs the scripts of tests/npm, which ask a server through clients in JavaScript."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DemoServer

NPM = Path(__file__).parent / "npm"
TIMEOUT = 90.0


def needs_npm(package: str) -> pytest.MarkDecorator:
    is_there = shutil.which("node") is not None and (NPM / "node_modules" / package).is_dir()
    reason = f"node or its package {package} is not installed; `make test` installs it, with npm"
    return pytest.mark.skipif(not is_there, reason=reason)


def run_script(name: str, server: DemoServer) -> dict[str, Any]:
    """What the script printed, as JSON; a script that fails fails the test with what it said."""
    result = subprocess.run(
        ["node", name, server.url, server.model],
        cwd=NPM,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return told
