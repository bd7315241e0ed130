"""What serving costs besides the model: `python -m benchmarks.overhead`.

Our API process before a worker that computes nothing: HTTP, template, tokenizer, the worker's
messages, detokenizer and server-sent events are real. Streams of chat are read by this process, at
a pace like a model's and as fast as they go. The last line of stdout is one JSON document.
"""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.echo_server import MODEL, echo_server
from benchmarks.granite_tokenizer import write_granite_tokenizer
from benchmarks.log import append_lines, markdown_table
from benchmarks.machine import describe_machine
from benchmarks.overhead_run import GOAL, ChatLoad, Overhead, measure_overhead
from benchmarks.server_process import running_server

HEADER = ("a step every", "API's CPU a token", "a request", "its cores", "wall a token", "met")
START_SECONDS = 60.0


def measure_pace(step_seconds: float, load: ChatLoad, directory: Path) -> Overhead:
    """`directory` has a tokenizer and a template.

    Raises:
        ServerFailed: the server did not start.
    """
    peer, log_file = echo_server(step_seconds, load.streams), directory / "server.log"
    with running_server(peer, directory, log_file, START_SECONDS) as server:
        pid = server.process.pid
        return asyncio.run(measure_overhead(server.url, pid, MODEL, load, step_seconds))


def overhead_rows(measured: Sequence[Overhead]) -> list[tuple[str, ...]]:
    return [
        (
            f"{overhead.step_seconds * 1000:g} ms",
            f"{overhead.cpu_per_token * 1000:.3f} ms",
            f"{overhead.cpu_per_request * 1000:.2f} ms",
            f"{overhead.cores:.2f}",
            f"{overhead.wall_per_token * 1000:.3f} ms",
            "yes" if overhead.meets_goal else "no",
        )
        for overhead in measured
    ]


def describe_load(load: ChatLoad, measured: Sequence[Overhead]) -> str:
    return (
        f"{load.streams} streams of chat, {measured[0].prompt_tokens:.0f} tokens in, "
        f"{load.output_tokens} out, medians of {load.rounds} round(s)\n"
        f"goal: less than {GOAL * 1000:g} ms of the API process a token"
    )


def main(
    streams: Annotated[int, typer.Option(min=1, help="concurrent requests")] = 16,
    passage_words: Annotated[int, typer.Option(min=1, help="quoted in each prompt")] = 200,
    output_tokens: Annotated[int, typer.Option(min=2)] = 256,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    step_ms: Annotated[float, typer.Option(min=0.0, help="the pace like a model's")] = 20.0,
    note: Annotated[str, typer.Option(help="what this run tries, for the log")] = "",
    log: Annotated[Path | None, typer.Option(help="where to append; default: nowhere")] = None,
) -> None:
    """Measure the API process at a steady pace and without one."""
    load = ChatLoad(
        streams=streams, passage_words=passage_words, output_tokens=output_tokens, rounds=rounds
    )
    machine = describe_machine()
    print(machine.header())
    with tempfile.TemporaryDirectory(prefix="granite-overhead-") as name:
        write_granite_tokenizer(Path(name))
        paces = (step_ms / 1000, 0.0)
        measured = [measure_pace(seconds, load, Path(name)) for seconds in paces]
    table = Table(*HEADER, title=describe_load(load, measured))
    for row in overhead_rows(measured):
        table.add_row(*row)
    Console(width=140).print(table)
    if log is not None:
        title = f"{machine.measured_at}: {note or 'overhead of serving'}"
        setup = [machine.header(), describe_load(load, measured)]
        append_lines(log, title, setup, markdown_table(HEADER, overhead_rows(measured)))
    document = {
        "benchmark": "overhead",
        "machine": machine.as_json(),
        "load": asdict(load),
        "goal": GOAL,
        "paces": [overhead.as_json() for overhead in measured],
    }
    print(json.dumps(document))


if __name__ == "__main__":
    typer.run(main)
