"""Peers that are small Python programs instead of servers with a model."""

import sys
from pathlib import Path

from benchmarks.peers import Peer
from benchmarks.streaming_client import LengthControl

FAKE_SERVER = str(Path(__file__).parent / "fake_server.py")


def python_peer(name: str, *arguments: str) -> Peer:
    return Peer(
        name=name,
        command=lambda _, port: [sys.executable, *arguments, "--port", str(port)],
        model=lambda _: "fake",
        length_control=LengthControl.NONE,
    )
