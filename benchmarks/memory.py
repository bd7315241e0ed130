"""Memory and start of our server: `python -m benchmarks.memory --formats int4,int8`.

Starts it twice on links to the checkpoint's files, without the packed weights: the first start
packs them, the second finds them packed. Each serves one long prompt. The last line of stdout is
one JSON document.
"""

import asyncio
import json
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.cases import Case, choose_cases
from benchmarks.compare import CHECKPOINT, require_checkpoint
from benchmarks.load import Target, Workload, measure_server
from benchmarks.machine import describe_machine
from benchmarks.peers import Peer, granite_server
from benchmarks.process_tree import MemoryWatch
from benchmarks.server_process import started_server

LOADING_GOAL = 1.3
"""The most that loading may take, as a multiple of what is there when it is done."""
PACKED_FILES = "packed-*.granite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of the server: bytes of both processes together; `private` parts as sampled."""

    start: str
    seconds_to_ready: float
    loading_peak: int
    loading_private_peak: int
    loaded: int
    loaded_private: int
    peak: int
    private_peak: int

    @property
    def loading_ratio(self) -> float:
        return self.loading_peak / self.loaded


@contextmanager
def unpacked_copy(checkpoint: Path) -> Iterator[Path]:
    """A directory of links to the checkpoint's files, beside it, without packed weights."""
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=checkpoint.parent) as name:
        for path in checkpoint.iterdir():
            if not path.match(PACKED_FILES):
                (Path(name) / path.name).symlink_to(path)
        yield Path(name)


def measure_life(
    start: str, peer: Peer, checkpoint: Path, workload: Workload, log_file: Path, timeout: float
) -> Life:
    """Start the server, send it the workload's prompts, end it.

    Raises:
        ServerFailed: the server did not become ready within `timeout` seconds.
    """
    started = time.perf_counter()
    with started_server(peer, checkpoint, log_file) as server:
        watch = MemoryWatch(server.process.pid)
        with watch.sampling():
            server.wait_until_ready(timeout)
            seconds = time.perf_counter() - started
            loaded, loading_private_peak = watch.read(), watch.peak_private
            target = Target(url=server.url, model=peer.model(checkpoint))
            asyncio.run(measure_server(target, workload))
            peak = watch.read().peak
    return Life(
        start=start,
        seconds_to_ready=seconds,
        loading_peak=loaded.peak,
        loading_private_peak=loading_private_peak,
        loaded=loaded.resident,
        loaded_private=loaded.private,
        peak=peak,
        private_peak=watch.peak_private,
    )


def measure_case(
    case: Case, checkpoint: Path, workload: Workload, flags: Sequence[str], timeout: float
) -> list[Life]:
    """A first and a second start."""
    peer = granite_server(None, [*case.flags, *flags])
    logs = Path(tempfile.mkdtemp(prefix=f"granite-memory-{case.name}-"))
    with unpacked_copy(checkpoint.resolve()) as copy:
        return [
            measure_life(start, peer, copy, workload, logs / f"{start}.log", timeout)
            for start in ("first", "second")
        ]


def memory_table(measured: Sequence[tuple[Case, Sequence[Life]]]) -> Table:
    columns = ("weights", "start", "ready after", "loaded", "peak loading", "to loaded", "peak")
    table = Table(*columns, "goal", "met", title="GB of both processes (private part)")
    for case, lives in measured:
        goal = case.memory_goal
        for life in lives:
            table.add_row(
                case.name,
                life.start,
                f"{life.seconds_to_ready:.1f} s",
                _cell(life.loaded, life.loaded_private),
                _cell(life.loading_peak, life.loading_private_peak),
                f"{life.loading_ratio:.2f}x",
                _cell(life.peak, life.private_peak),
                f"{LOADING_GOAL}x" + (f", {goal / 1e9:.1f}" if goal else ""),
                "yes" if meets_goals(case, life) else "no",
            )
    return table


def meets_goals(case: Case, life: Life) -> bool:
    """Both: the peak while loading, and the peak of all where the format has one."""
    is_small = case.memory_goal is None or life.peak <= case.memory_goal
    return is_small and life.loading_ratio <= LOADING_GOAL


def _cell(total: int, private: int) -> str:
    return f"{total / 1e9:.2f} ({private / 1e9:.2f})"


def main(
    checkpoint: Annotated[
        Path, typer.Option(help="of the true shape: python -m benchmarks.true_shape")
    ] = CHECKPOINT,
    formats: Annotated[str, typer.Option(help="weight formats, with commas")] = "int4,int8",
    context_length: Annotated[int, typer.Option(help="what the server is told to allow")] = 4096,
    prompt_tokens: Annotated[int, typer.Option(min=1)] = 4000,
    output_tokens: Annotated[int, typer.Option(min=2)] = 32,
    streams: Annotated[int, typer.Option(min=1, help="prompts at the same time")] = 1,
    flags: Annotated[str, typer.Option(help="more flags for our server")] = "",
    start_timeout: Annotated[float, typer.Option(help="seconds to load")] = 600.0,
) -> None:
    """Measure memory and time of a first and a second start."""
    cases = choose_cases(formats)
    require_checkpoint(checkpoint)
    machine = describe_machine()
    print(machine.header())
    workload = Workload(
        streams=(streams,), prompt_tokens=prompt_tokens, output_tokens=output_tokens, repeats=1
    )
    all_flags = ["--context-length", str(context_length), *shlex.split(flags)]
    measured = [
        (case, measure_case(case, checkpoint, workload, all_flags, start_timeout)) for case in cases
    ]
    Console(width=120).print(memory_table(measured))
    document: dict[str, Any] = {
        "benchmark": "memory",
        "machine": machine.as_json(),
        "context_length": context_length,
        "workload": asdict(workload),
        "formats": {case.name: [asdict(life) for life in lives] for case, lives in measured},
    }
    print(json.dumps(document))


if __name__ == "__main__":
    typer.run(main)
