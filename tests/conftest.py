"""What every test may use: the demo model, served as a user would serve it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from openai import OpenAI

ROOT = Path(__file__).parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class DemoServer:
    """A running `granite-server serve` with the embedded checkpoint. `url` has no `/v1`."""

    url: str
    model: str
    announcement: str


def pytest_configure() -> None:
    """Tiny tensors gain nothing from threads, and threads that wait for each other cost a lot.

    Nothing is kept in the home directory of whoever runs the tests.
    """
    torch.set_num_threads(1)
    os.environ["GRANITE_STORAGE"] = "none"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that needs a CUDA device is skipped where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """One server process for all end-to-end tests, on a port of its own, without a network."""
    with serve_demo(tmp_path_factory.mktemp("demo_server")) as (server, _):
        yield server


@pytest.fixture
def client(demo_server: DemoServer) -> Iterator[OpenAI]:
    """OpenAI's client of the demo model, unless nearer the test there is another."""
    with client_of(demo_server) as client:
        yield client


def client_of(server: DemoServer) -> OpenAI:
    """One that validates whatever it is answered."""
    return OpenAI(
        base_url=f"{server.url}/v1",
        api_key="none",
        max_retries=0,
        _strict_response_validation=True,
    )


@contextmanager
def serve_demo(folder: Path) -> Iterator[tuple[DemoServer, subprocess.Popen[bytes]]]:
    """A server process that keeps all it keeps in this folder."""
    said, logged = folder / "stdout", folder / "stderr"
    environment = {name: text for name, text in os.environ.items() if "GRANITE_" not in name}
    with said.open("w") as stdout, logged.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", "--port", "0", "--drain-accept", "0"],
            cwd=ROOT,
            env=environment | {"HF_HUB_OFFLINE": "1", "XDG_DATA_HOME": str(folder)},
            stdout=stdout,
            stderr=stderr,
        )
    try:
        announcement = _wait_until_ready(process, said, logged)
        model = re.search(r'"model": "([^"]+)"', announcement)
        url = re.search(r"Ready at (\S+)", announcement)
        assert url
        assert model
        yield DemoServer(url[1], model[1], announcement), process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _wait_until_ready(process: subprocess.Popen[bytes], said: Path, logged: Path) -> str:
    """What the server said at its start, which ends with an example request."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        text = said.read_text()
        if "curl" in text and text.endswith("\n"):
            return text
        time.sleep(0.1)
    raise AssertionError(f"the demo server did not become ready:\n{logged.read_text()}")
