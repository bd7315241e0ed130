"""Our server against llama.cpp at the same size of weights, and against the machine: `make bench`.

For each format, the servers run one after the other, never together, in alternating runs with the
same client and the same requests, both over HTTP and without prefix caches. Prints a table of
medians, ratios and goals, appends it to LOG.md, and ends with one JSON document on the last line of
stdout. Peers that are not there are named as such.
"""

import json
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import Conditions
from benchmarks.cases import WORKLOADS, Case, choose_cases
from benchmarks.contest import Contest, Outcome, run_case
from benchmarks.llama_cpp import LlamaCpp
from benchmarks.log import append_section
from benchmarks.machine import Machine, describe_machine
from benchmarks.side_by_side import HEADER

LOG_FILE = Path(__file__).parent / "LOG.md"
CHECKPOINT = Path("checkpoints/granite-h-micro-random")


def main(
    checkpoint: Annotated[
        Path, typer.Option(help="of the true shape: python -m benchmarks.true_shape")
    ] = CHECKPOINT,
    formats: Annotated[str, typer.Option(help="weight formats, with commas")] = "int4,int8,bf16",
    runs: Annotated[int, typer.Option(min=1, help="of each server, in turn")] = 2,
    threads: Annotated[int | None, typer.Option(min=1, help="default: all cores")] = None,
    llama_server: Annotated[
        Path | None, typer.Option(envvar="LLAMA_SERVER", help="llama.cpp's server")
    ] = None,
    llama_weights: Annotated[
        Path | None,
        typer.Option(envvar="LLAMA_WEIGHTS", help="directory of *Q4_0.gguf, *Q8_0.gguf, ..."),
    ] = None,
    installed: Annotated[
        bool, typer.Option("--installed", help="transformers serve and vLLM too, in bf16 (slow)")
    ] = False,
    flags: Annotated[str, typer.Option(help="more flags for our server")] = "",
    start_timeout: Annotated[float, typer.Option(help="seconds to load")] = 600.0,
    note: Annotated[str, typer.Option(help="what this run tries, for the log")] = "",
    log: Annotated[Path, typer.Option(help="where to append the result")] = LOG_FILE,
) -> None:
    """Compare our server with llama.cpp and with the machine's limits."""
    cases = choose_cases(formats)
    require_checkpoint(checkpoint)
    machine = describe_machine()
    print(machine.header())
    contest = Contest(
        llama_cpp=LlamaCpp(llama_server, llama_weights),
        with_installed=installed,
        threads=threads or machine.cores,
        flags=shlex.split(flags),
    )
    outcomes = [
        run_case(case, contest, _conditions(case, checkpoint, runs, start_timeout))
        for case in cases
    ]
    print_table(outcomes)
    setup = f"{checkpoint.name}, {contest.threads} threads, medians of {runs} run(s)"
    title = f"{machine.measured_at}: {note or 'comparison'}"
    append_section(log, title, [machine.header(), setup], outcomes)
    print(json.dumps(_document(machine, checkpoint, contest, runs, outcomes)))
    if any(server.failures for outcome in outcomes for server in outcome.servers):
        raise typer.Exit(1)


def require_checkpoint(directory: Path) -> None:
    """Raises typer.BadParameter, which says how to write one."""
    if not (directory / "config.json").is_file():
        command = f"python -m benchmarks.true_shape --out {directory}"
        raise typer.BadParameter(f"no checkpoint in {directory}; to write one: {command}")


def print_table(outcomes: Sequence[Outcome]) -> None:
    table = Table(*HEADER)
    for outcome in outcomes:
        for verdict in outcome.verdicts:
            table.add_row(*verdict.cells())
        table.add_section()
    Console(width=140).print(table)


def _conditions(case: Case, checkpoint: Path, runs: int, start_timeout: float) -> Conditions:
    return Conditions(
        checkpoint=checkpoint.resolve(),
        workloads=WORKLOADS,
        rounds=runs,
        log_directory=Path(tempfile.mkdtemp(prefix=f"granite-bench-{case.name}-")),
        start_timeout=start_timeout,
        report=print,
    )


def _document(
    machine: Machine, checkpoint: Path, contest: Contest, runs: int, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    return {
        "benchmark": "compare",
        "machine": machine.as_json(),
        "checkpoint": checkpoint.name,
        "threads": contest.threads,
        "runs": runs,
        "workloads": [asdict(workload) for workload in WORKLOADS],
        "formats": [outcome.as_json() for outcome in outcomes],
    }


if __name__ == "__main__":
    typer.run(main)
