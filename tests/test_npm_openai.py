"""OpenAI's JavaScript client against the demo model. `make test` installs it from tests/npm."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import DemoServer

NPM = Path(__file__).parent / "npm"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (NPM / "node_modules" / "openai").is_dir(),
    reason="node or its openai package is not installed; `make test` installs it where npm is",
)


def test_the_javascript_client_gets_the_same_text_whole_and_streamed(
    demo_server: DemoServer,
) -> None:
    result = subprocess.run(
        ["node", "chat.mjs", demo_server.url, demo_server.model],
        cwd=NPM,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert "stone" in answer["whole"]
    assert answer["streamed"] == answer["whole"]
    assert answer["usage"]["completion_tokens"] > 0
