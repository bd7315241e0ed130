"""The servers that can be compared: how each is found, started with one checkpoint, and asked."""

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.streaming_client import LengthControl

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
TORCH_THREADS = "OMP_NUM_THREADS"
REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """`command(checkpoint, port)` runs the server on the loopback interface until it is ended.

    It answers GET /health with 200 once it can generate. `model(checkpoint)` is its name in
    requests.
    """

    name: str
    command: Callable[[Path, int], list[str]]
    model: Callable[[Path], str]
    length_control: LengthControl
    environment: Mapping[str, str] = field(default_factory=dict)


def granite_server(threads: int | None, arguments: list[str]) -> Peer:
    """This server from this working tree, with further flags; None leaves the threads to it.

    It ends as soon as it is told to.
    """

    def command(checkpoint: Path, port: int) -> list[str]:
        flags = ["--model", str(checkpoint), "--port", str(port), "--served-model-name", "bench"]
        flags += ["--drain-accept", "0"]
        flags += ["--threads", str(threads)] if threads else []
        return [sys.executable, "-m", "server", "serve", *flags, *arguments]

    return Peer(
        name="granite-server",
        command=command,
        model=lambda _: "bench",
        length_control=LengthControl.IGNORE_EOS,
        environment={"PYTHONPATH": str(REPOSITORY)},
    )


def transformers_serve(dtype: str, threads: int) -> Peer:
    """The reference implementation. It serves one request at a time."""

    def command(checkpoint: Path, port: int) -> list[str]:
        run = "from transformers.cli.transformers import main; main()"
        flags = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", dtype]
        return [sys.executable, "-c", run, "serve", str(checkpoint), *flags]

    return Peer(
        name="transformers serve",
        command=command,
        model=str,
        length_control=LengthControl.GENERATION_CONFIG,
        environment={**OFFLINE, TORCH_THREADS: str(threads)},
    )


def vllm_serve(dtype: str, threads: int) -> Peer:
    def command(checkpoint: Path, port: int) -> list[str]:
        flags = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "bench"]
        flags += ["--dtype", dtype, "--max-model-len", "4096", "--no-enable-prefix-caching"]
        return ["vllm", "serve", str(checkpoint), *flags]

    return Peer(
        name="vllm",
        command=command,
        model=lambda _: "bench",
        length_control=LengthControl.IGNORE_EOS,
        environment={**OFFLINE, TORCH_THREADS: str(threads)},
    )


def installed_peers(dtype: str, threads: int) -> list[Peer]:
    """Those that are installed beside us and serve the same checkpoint directory."""
    peers = []
    if importlib.util.find_spec("openai") and importlib.util.find_spec("transformers"):
        peers.append(transformers_serve(dtype, threads))
    if shutil.which("vllm"):
        peers.append(vllm_serve(dtype, threads))
    return peers
