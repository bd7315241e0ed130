"""Starts one server, waits until it can generate, and ends it and all its children."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.peers import Peer

POLL_SECONDS = 0.2
PROBE_SECONDS = 5.0
STOP_SECONDS = 60.0
LOG_TAIL_CHARACTERS = 2000


class ServerFailed(Exception):
    """A server ended or did not become ready in time; the text holds the end of its output."""


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A started server, ready or not; its output goes to `log_file`."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    def wait_until_ready(self, timeout: float) -> None:
        """Return once it can generate.

        Raises:
            ServerFailed: it ended or was not ready after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with httpx2.Client(timeout=PROBE_SECONDS, trust_env=False) as client:
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    status = self.process.returncode
                    raise ServerFailed(f"{self.name} ended with status {status}:\n{self._tail()}")
                try:
                    if client.get(f"{self.url}/health").status_code == 200:
                        return
                except httpx2.TransportError:
                    pass  # not listening yet
                time.sleep(POLL_SECONDS)
        raise ServerFailed(f"{self.name} was not ready after {timeout:.0f} s:\n{self._tail()}")

    def _tail(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARACTERS:]


@contextmanager
def running_server(
    peer: Peer, checkpoint: Path, log_file: Path, start_timeout: float
) -> Iterator[ServerProcess]:
    """A server that is ready to generate.

    Raises:
        ServerFailed: the server ended or was not ready after `start_timeout` seconds.
    """
    with started_server(peer, checkpoint, log_file) as server:
        server.wait_until_ready(start_timeout)
        yield server


@contextmanager
def started_server(peer: Peer, checkpoint: Path, log_file: Path) -> Iterator[ServerProcess]:
    """A server that still loads; it is ended with the block."""
    port = _free_port()
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            peer.command(checkpoint, port),
            env={**os.environ, **peer.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield ServerProcess(peer.name, f"http://127.0.0.1:{port}", process, log_file)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, then end the whole process group: its memory must be free for the next server."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # nothing was left behind


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
