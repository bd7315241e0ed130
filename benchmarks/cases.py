"""What `make bench` compares: our weight formats, the peers' that match them, and the goals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import typer

from benchmarks.load import Workload
from benchmarks.summary import LevelSummary
from model_loader.footprint import Quantization

ALONE = Workload(streams=(1,), prompt_tokens=400, output_tokens=32, repeats=1)
"""One stream: its first token measures prefill, the others decoding."""
CROWD = Workload(streams=(8,), prompt_tokens=100, output_tokens=32, repeats=1)
WORKLOADS = (ALONE, CROWD)
NUM_STREAMS = max(max(workload.streams) for workload in WORKLOADS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured rate, of the level with that many streams; more is better."""

    label: str
    streams: int
    value: Callable[[LevelSummary], float | None]


DECODE = Figure(label="decode tok/s, 1 stream", streams=1, value=lambda level: level.decode_rate)
PREFILL = Figure(
    label="prefill tok/s, 400 tokens", streams=1, value=lambda level: level.prefill_rate
)
OUTPUT = Figure(
    label="output tok/s, 8 streams 100 + 32", streams=8, value=lambda level: level.output_rate
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One format. `rivals` are llama.cpp's types of the same size.

    `goals` are ratios to the best rival. `read_goal` is the share of the read bandwidth that
    decoding is to reach, `matmul_goal` that of oneDNN's `matmul` rate for prefill. `memory_goal` is
    the most resident bytes of the server at 4,096 tokens of context.
    """

    name: str
    quantization: Quantization
    rivals: tuple[str, ...]
    goals: Mapping[Figure, float]
    read_goal: float
    matmul: Literal["int8", "bf16"]
    matmul_goal: float = 0.75
    memory_goal: float | None = None

    @property
    def flags(self) -> list[str]:
        return ["--dtype", "bf16", "--quantize", self.quantization]


CASES = (
    Case(
        name="int4",
        quantization="int4",
        rivals=("Q4_0", "Q4_K_M"),
        goals={DECODE: 1.3, PREFILL: 2.2, OUTPUT: 3.0},
        read_goal=0.75,
        matmul="int8",
        memory_goal=3.2e9,
    ),
    Case(
        name="int8",
        quantization="int8",
        rivals=("Q8_0",),
        goals={DECODE: 1.5, PREFILL: 2.5, OUTPUT: 3.0},
        read_goal=0.85,
        matmul="int8",
        memory_goal=4.6e9,
    ),
    Case(
        name="bf16",
        quantization="none",
        rivals=("BF16",),
        goals={DECODE: 1.2, PREFILL: 1.2, OUTPUT: 2.0},
        read_goal=0.85,
        matmul="bf16",
    ),
)


def choose_cases(names: str) -> list[Case]:
    """The cases of these comma-separated names, in the order of the table.

    Raises:
        typer.BadParameter: a name that is none.
    """
    wanted = {name.strip() for name in names.split(",")}
    unknown = wanted - {case.name for case in CASES}
    if unknown:
        known = ", ".join(case.name for case in CASES)
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: the formats are {known}")
    return [case for case in CASES if case.name in wanted]
