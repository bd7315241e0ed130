"""What a long prompt does to somebody else's reply: `python -m benchmarks.interference`.

Starts our server with its default settings, reads a reply for a while, then sends a long prompt
beside it, and compares the times between the reply's tokens, the API's answers to a plain GET,
and the processor time of both processes. The last line of stdout is one JSON document.
"""

import asyncio
import json
import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.beside_prompt import GOAL, Interference, measure_interference
from benchmarks.compare import CHECKPOINT, require_checkpoint
from benchmarks.machine import describe_machine
from benchmarks.peers import granite_server
from benchmarks.server_process import running_server


def phase_table(measured: Interference) -> Table:
    alone, beside = measured.alone, measured.beside
    table = Table("", "alone", "beside the prompt")
    for label, unit, values in (
        ("between tokens, median", "ms", (alone.gap.median, beside.gap.median)),
        ("between tokens, p95", "ms", (alone.gap.p95, beside.gap.p95)),
        ("API's answer, median", "ms", (alone.answer.median, beside.answer.median)),
        ("API's answer, p95", "ms", (alone.answer.p95, beside.answer.p95)),
        ("API process runs", "%", (alone.api_cores, beside.api_cores)),
        ("API process waits for a core", "%", (alone.api_waiting, beside.api_waiting)),
        ("worker runs", "%", (alone.worker_cores, beside.worker_cores)),
    ):
        factor = 1000 if unit == "ms" else 100
        table.add_row(label, *(f"{value * factor:.1f} {unit}" for value in values))
    return table


def summary(measured: Interference) -> str:
    prompt = measured.prompt
    verdict = "met" if measured.ratio <= GOAL else "not met"
    return (
        f"{prompt.num_prompt_tokens} prompt tokens read in {prompt.time_to_first_token:.1f} s; "
        f"between tokens {measured.ratio:.2f}x of alone (goal at most {GOAL:.0f}x: {verdict})"
    )


def main(
    checkpoint: Annotated[
        Path, typer.Option(help="of the true shape: python -m benchmarks.true_shape")
    ] = CHECKPOINT,
    prompt_tokens: Annotated[int, typer.Option(min=1)] = 2000,
    alone_tokens: Annotated[int, typer.Option(min=2, help="read before the prompt")] = 48,
    reply_tokens: Annotated[int, typer.Option(help="the most the reply may have")] = 3000,
    flags: Annotated[str, typer.Option(help="flags for our server; default: its defaults")] = "",
    start_timeout: Annotated[float, typer.Option(help="seconds to load")] = 600.0,
) -> None:
    """Measure a reply alone and beside a long prompt."""
    require_checkpoint(checkpoint)
    machine = describe_machine()
    print(machine.header())
    peer = granite_server(None, shlex.split(flags))
    log_file = Path(tempfile.mkdtemp(prefix="granite-interference-")) / "server.log"
    with running_server(peer, checkpoint.resolve(), log_file, start_timeout) as server:
        measured = asyncio.run(
            measure_interference(
                server.url,
                server.process.pid,
                peer.model(checkpoint),
                prompt_tokens=prompt_tokens,
                alone_tokens=alone_tokens,
                reply_tokens=reply_tokens,
            )
        )
    Console(width=100).print(phase_table(measured))
    print(summary(measured))
    document = {
        "benchmark": "interference",
        "machine": machine.as_json(),
        "flags": flags,
        **measured.as_json(),
    }
    print(json.dumps(document))


if __name__ == "__main__":
    typer.run(main)
