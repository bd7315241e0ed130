"""The commands that the README and the server itself tell people to type."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import DemoServer

README = Path(__file__).parent.parent / "README.md"
README_URL = "http://127.0.0.1:8000"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def run_curl(command: str) -> str:
    result = subprocess.run(
        [*shlex.split(command), "--silent", "--show-error", "--fail-with-body", "--max-time", "60"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def readme_curls() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.M | re.S)
    commands = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [command for command in commands if command.startswith("curl ")]


def test_the_command_that_the_server_prints_is_answered(demo_server: DemoServer) -> None:
    (command,) = re.findall(r"^\s*(curl .*)$", demo_server.announcement, re.M)
    reply = json.loads(run_curl(command))
    assert reply["choices"][0]["message"]["content"]


def test_the_readme_shows_a_request_that_works(demo_server: DemoServer) -> None:
    commands = readme_curls()
    assert commands
    for command in commands:
        answer = run_curl(command.replace(README_URL, demo_server.url))
        (shown,) = re.findall(r'^\{"id".*"content":"([^"]+)"', README.read_text(), re.M)
        assert json.loads(answer)["choices"][0]["message"]["content"] == shown


def test_a_stream_is_one_event_a_piece_and_ends_with_done(demo_server: DemoServer) -> None:
    body = json.dumps(
        {
            "model": demo_server.model,
            "messages": [{"role": "user", "content": "Hello"}],
            "stream": True,
            "max_tokens": 16,
        }
    )
    answer = run_curl(
        f"curl -N {demo_server.url}/v1/chat/completions -H 'Content-Type: application/json' "
        f"-d {shlex.quote(body)}"
    )
    data = [line.removeprefix("data: ") for line in answer.splitlines() if line.startswith("data:")]
    assert data[-1] == "[DONE]"
    chunks = [json.loads(line) for line in data[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_metrics_and_health_are_open_to_scrapers(demo_server: DemoServer) -> None:
    assert json.loads(run_curl(f"curl {demo_server.url}/health/ready"))["status"] == "ready"
    assert "# HELP" in run_curl(f"curl {demo_server.url}/metrics")
