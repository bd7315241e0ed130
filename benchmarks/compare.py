"""Our server against others on one checkpoint: `make bench`.

The servers run one after the other, never together, in alternating runs with the same client and
the same requests. Prints a table of medians and ratios, appends a section to LOG.md, and ends with
one JSON document on the last line of stdout.
"""

import json
import shlex
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.alternating import run_alternating
from benchmarks.load import Workload, parse_streams
from benchmarks.log import append_section
from benchmarks.machine import describe_machine
from benchmarks.peers import Peer, granite_server, installed_peers, llama_server
from benchmarks.side_by_side import cells, compare, header
from benchmarks.true_shape import Precision

LOG_FILE = Path(__file__).parent / "LOG.md"
CHECKPOINT = Path("checkpoints/granite-h-micro-random")
TRANSFORMERS_DTYPES = {Precision.BF16: "bfloat16", Precision.FP32: "float32"}


def choose_peers(dtype: Precision, threads: int, slots: int, flags: str) -> list[Peer]:
    """Ours first, which the others are compared with, then what is installed."""
    ours = ["--dtype", dtype.value, "--max-sequences", str(slots), *shlex.split(flags)]
    return [granite_server(threads, ours), *installed_peers(TRANSFORMERS_DTYPES[dtype], threads)]


def main(
    checkpoint: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="see benchmarks.true_shape")
    ] = CHECKPOINT,
    streams: Annotated[str, typer.Option(help="numbers of concurrent requests")] = "1,4,8",
    prompt_tokens: Annotated[int, typer.Option(min=1, help="words of each prompt")] = 100,
    output_tokens: Annotated[int, typer.Option(min=2)] = 32,
    rounds: Annotated[int, typer.Option(min=1, help="runs of each server")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="rounds of requests in a run")] = 1,
    seed: int = 0,
    dtype: Precision = Precision.BF16,
    threads: Annotated[int | None, typer.Option(min=1, help="default: all cores")] = None,
    only: Annotated[str, typer.Option(help="names of the peers to run, with commas")] = "",
    flags: Annotated[str, typer.Option(help="more flags for our server")] = "",
    llama_binary: Annotated[Path | None, typer.Option(envvar="LLAMA_SERVER")] = None,
    llama_weights: Annotated[Path | None, typer.Option(envvar="LLAMA_WEIGHTS")] = None,
    start_timeout: Annotated[float, typer.Option(help="seconds to load")] = 600.0,
    timeout: Annotated[float, typer.Option(help="seconds of silence in a stream")] = 1800.0,
    note: Annotated[str, typer.Option(help="what this run tries, for the log")] = "",
    log: Annotated[Path, typer.Option(help="where to append the result")] = LOG_FILE,
) -> None:
    """Compare our server with every peer that is installed."""
    workload = Workload(
        streams=parse_streams(streams),
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        repeats=repeats,
        seed=seed,
        timeout=timeout,
    )
    machine = describe_machine()
    print(machine.header())
    threads = threads or machine.cores
    slots = max(workload.streams)
    peers = choose_peers(dtype, threads, slots, flags)
    if llama_binary is not None and llama_weights is not None:
        peers.append(llama_server(llama_binary, llama_weights, slots, threads))
    chosen = [peer for peer in peers if not only or peer.name in only.split(",")]
    results = run_alternating(
        chosen,
        checkpoint.resolve(),
        workload,
        rounds=rounds,
        log_directory=Path(tempfile.mkdtemp(prefix="granite-bench-")),
        start_timeout=start_timeout,
        report=print,
    )
    rows = compare(results, workload.streams)
    table = Table(*header(results))
    for row in rows:
        table.add_row(*cells(row))
    Console(width=120).print(table)
    setup = f"{checkpoint.name}, {dtype}, {threads} threads, {rounds} runs, {workload.describe()}"
    append_section(log, machine, setup, results, rows, note)
    document = {
        "benchmark": "compare",
        "machine": machine.as_json(),
        "checkpoint": checkpoint.name,
        "dtype": dtype,
        "threads": threads,
        "workload": asdict(workload),
        "servers": [result.as_json() for result in results],
        "rows": [asdict(row) for row in rows],
    }
    print(json.dumps(document))
    if any(result.failures for result in results):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
