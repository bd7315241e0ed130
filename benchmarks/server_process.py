"""Starts one server, waits until it can generate, and ends it and all its children."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from benchmarks.peers import Peer

POLL_SECONDS = 0.5
PROBE_SECONDS = 5.0
STOP_SECONDS = 60.0
LOG_TAIL_CHARACTERS = 2000


class ServerFailed(Exception):
    """A server ended or did not become ready in time; the text holds the end of its output."""


@contextmanager
def running_server(
    peer: Peer, checkpoint: Path, log_file: Path, start_timeout: float
) -> Iterator[str]:
    """The URL of the server, ready to generate. Its output goes to `log_file`.

    Raises:
        ServerFailed: the server ended or was not ready after `start_timeout` seconds.
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
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
            _wait_until_ready(peer, process, url, log_file, start_timeout)
            yield url
        finally:
            _stop(process)


def _wait_until_ready(
    peer: Peer, process: subprocess.Popen[bytes], url: str, log_file: Path, timeout: float
) -> None:
    deadline = time.monotonic() + timeout
    with httpx2.Client(timeout=PROBE_SECONDS, trust_env=False) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                reason = f"ended with status {process.returncode}"
                raise ServerFailed(f"{peer.name} {reason}:\n{_tail(log_file)}")
            try:
                if client.get(f"{url}/health").status_code == 200:
                    return
            except httpx2.TransportError:
                pass  # not listening yet
            time.sleep(POLL_SECONDS)
    raise ServerFailed(f"{peer.name} was not ready after {timeout:.0f} s:\n{_tail(log_file)}")


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


def _tail(log_file: Path) -> str:
    return log_file.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARACTERS:]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
