"""Our API process in front of the worker that echoes: `python -m benchmarks.echo_server ...`.

Everything but the model is as `granite-server serve` has it, down to the log lines.
"""

import sys
from pathlib import Path

import typer

from benchmarks.peers import REPOSITORY, Peer
from benchmarks.streaming_client import LengthControl
from engine.client import EngineClient
from engine.options import EngineOptions
from model_loader.chat_template import ChatTemplate
from model_loader.tokenizer import Tokenizer
from server.app import create_app
from server.log_output import configure_logging
from server.run import bind_socket, serve
from server.settings import Settings

MODEL = "echo"


def echo_server(step_seconds: float, streams: int) -> Peer:
    """Its checkpoint is a directory with a tokenizer and a chat template."""

    def command(checkpoint: Path, port: int) -> list[str]:
        arguments = [str(checkpoint), str(port), str(step_seconds), str(streams)]
        return [sys.executable, "-m", "benchmarks.echo_server", *arguments]

    return Peer(
        name="echo",
        command=command,
        model=lambda _: MODEL,
        length_control=LengthControl.IGNORE_EOS,
        environment={"PYTHONPATH": str(REPOSITORY)},
    )


def main(checkpoint: Path, port: int, step_seconds: float, streams: int) -> None:
    """Serve until a signal."""
    settings = Settings(port=port, storage="none", drain_accept=0.0)
    configure_logging(settings, sys.stderr)
    listener = bind_socket(settings)
    options = EngineOptions(
        checkpoint=f"echo:{step_seconds}", num_slots=streams, num_pages=streams * 64, step_rows=4096
    )
    engine = EngineClient(options, command=(sys.executable, "-m", "benchmarks.echo_worker"))
    tokenizer = Tokenizer.from_directory(checkpoint)
    template = ChatTemplate.from_directory(checkpoint, tokenizer)
    app = create_app(engine, tokenizer, template, settings, [MODEL])
    raise typer.Exit(serve(app, settings, listener))


if __name__ == "__main__":
    typer.run(main)
