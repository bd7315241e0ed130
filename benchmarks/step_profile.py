"""Where the time of one step goes, without a server: `python -m benchmarks.step_profile DIRECTORY`.

Decodes at several batch sizes and prefills one prompt, and sets the achieved bytes and operations
per second beside what the plainest loops reach on this machine in the same run, and the masks that
a decode step would wait for if each of its replies had a schema. CPU only. The last line of stdout
is one JSON document.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.ceilings import matmul_flop_per_second, read_bytes_per_second
from benchmarks.load import parse_streams
from benchmarks.machine import describe_machine
from benchmarks.masks import measure as measure_masks
from benchmarks.operation_clock import OperationClock, one_by_one, share_outside_operators
from benchmarks.step_costs import decode_bytes, prefill_operations
from benchmarks.step_driver import BLOCK_LENGTH, StepDriver
from benchmarks.true_shape import Precision
from engine.grammars.nursery import nursery_command
from engine.grammars.processes import GrammarProcesses
from kernels.interface import Kernels
from kernels.native_library import NativeKernels
from kernels.torch_kernels import TorchKernels
from model_loader.footprint import DtypeName, Quantization
from model_loader.load import LoadedModel, load_model

WARM_UP_STEPS = 2
PREFILL_RUNS = 3
PROFILED_STEPS = 2
SECONDS_OF_A_GRAMMAR = 10.0


class WeightBits(Enum):
    NONE = "none"
    INT8 = "int8"
    INT4 = "int4"

    @property
    def quantization(self) -> Quantization:
        choices: dict[WeightBits, Quantization] = {
            WeightBits.NONE: "none",
            WeightBits.INT8: "int8",
            WeightBits.INT4: "int4",
        }
        return choices[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProfile:
    """Mean seconds of a step, and the shares of its categories while layers go one by one.

    `share_outside_operators` is of layout and network, without the sampler, and known only where
    torch computes. `bytes_per_second` is of decode steps, `operations_per_second` of prefill.
    `mask_seconds` come on top of a decode step whose replies all have a form.
    """

    name: str
    rows: int
    seconds: float
    shares: dict[str, float]
    share_outside_operators: float | None = None
    bytes_per_second: float | None = None
    operations_per_second: float | None = None
    mask_seconds: float | None = None


def profile_decode(
    model: LoadedModel, batch: int, context: int, num_steps: int = BLOCK_LENGTH
) -> StepProfile:
    """Mean over `num_steps` steps; a whole number of blocks has its fair number of folds."""
    max_tokens = context + WARM_UP_STEPS + 2 * num_steps + PROFILED_STEPS
    driver = StepDriver(
        model.network,
        model.config,
        num_slots=batch,
        max_tokens=max_tokens,
        dtype=model.activation_dtype,
    )
    unmeasured = OperationClock()
    for slot in range(batch):
        driver.prefill(slot, context, unmeasured)
    for _ in range(WARM_UP_STEPS):
        driver.decode(batch, unmeasured)

    def steps(clock: OperationClock) -> None:
        for _ in range(num_steps):
            driver.decode(batch, clock)

    seconds, shares = _time(model, steps)

    def profiled_steps() -> None:
        for _ in range(PROFILED_STEPS):
            driver.forward_only(batch)

    middle = context + WARM_UP_STEPS + num_steps // 2
    state: DtypeName = "fp32" if model.activation_dtype == torch.float32 else "bf16"
    moved = decode_bytes(model.config, model.weight_bytes, batch, middle, state)
    return StepProfile(
        name=f"decode, batch {batch}",
        rows=batch,
        seconds=seconds / num_steps,
        shares=shares,
        share_outside_operators=None
        if model.network.kernels.is_native
        else share_outside_operators(profiled_steps),
        bytes_per_second=moved * num_steps / seconds,
    )


def profile_prefill(model: LoadedModel, num_rows: int) -> StepProfile:
    driver = StepDriver(
        model.network,
        model.config,
        num_slots=1,
        max_tokens=num_rows + 1,
        dtype=model.activation_dtype,
    )
    driver.prefill(0, num_rows, OperationClock())

    def prefills(clock: OperationClock) -> None:
        for _ in range(PREFILL_RUNS):
            driver.prefill(0, num_rows, clock)

    seconds, shares = _time(model, prefills)
    operations = prefill_operations(model.config, model.num_parameters, num_rows)
    return StepProfile(
        name=f"prefill, {num_rows} rows",
        rows=num_rows,
        seconds=seconds / PREFILL_RUNS,
        shares=shares,
        operations_per_second=operations * PREFILL_RUNS / seconds,
    )


def with_masks(profiles: Sequence[StepProfile], checkpoint: Path) -> list[StepProfile]:
    """The same profiles of decode steps, with the cost of masks for so many rows."""
    grammars = GrammarProcesses(nursery_command(str(checkpoint), SECONDS_OF_A_GRAMMAR))
    try:
        costs = [measure_masks(grammars, profile.rows, is_shared=False) for profile in profiles]
    finally:
        grammars.close()
    return [
        replace(profile, mask_seconds=cost.step_ms / 1000)
        for profile, cost in zip(profiles, costs, strict=True)
    ]


def _time(
    model: LoadedModel, work: Callable[[OperationClock], None]
) -> tuple[float, dict[str, float]]:
    """Seconds of the work as it is served; then its shares, with the operations one by one."""
    whole, apart = OperationClock(), OperationClock()
    work(whole)
    with one_by_one(model.network), apart.wrapping(model.network.kernels):
        work(apart)
    return sum(whole.seconds.values()), apart.shares()


def profile_table(profiles: Sequence[StepProfile], bandwidth: float, matmul_rate: float) -> Table:
    table = Table("", *(profile.name for profile in profiles))

    def add(label: str, cells: list[str]) -> None:
        table.add_row(label, *cells)

    def cell(value: float | None, unit: float, ceiling: float) -> str:
        return "-" if value is None else f"{value / unit:.1f} ({value / ceiling:.0%})"

    add("ms a step", [f"{profile.seconds * 1000:.1f}" for profile in profiles])
    add("tokens a second", [f"{profile.rows / profile.seconds:.1f}" for profile in profiles])
    for category in profiles[0].shares:
        add(category, [f"{profile.shares.get(category, 0.0):.1%}" for profile in profiles])
    outside = [profile.share_outside_operators for profile in profiles]
    add("outside operators", ["-" if share is None else f"{share:.1%}" for share in outside])
    masks = [cell(profile.mask_seconds, 1e-3, profile.seconds) for profile in profiles]
    add("masks, ms (to a step)", masks)
    add("GB/s (of reading)", [cell(p.bytes_per_second, 1e9, bandwidth) for p in profiles])
    add("GFLOP/s (of matmul)", [cell(p.operations_per_second, 1e9, matmul_rate) for p in profiles])
    return table


def main(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint directory")],
    dtype: Precision = Precision.BF16,
    quantize: WeightBits = WeightBits.NONE,
    plain_torch: Annotated[bool, typer.Option(help="the twins, not the native kernels")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="default: all cores")] = None,
    batches: Annotated[str, typer.Option(help="decode batch sizes")] = "1,4,16",
    context: Annotated[int, typer.Option(min=1, help="tokens before decoding")] = 32,
    prefill_rows: Annotated[int, typer.Option(min=1)] = 256,
) -> None:
    """Profile the steps of one checkpoint on this machine."""
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    machine = describe_machine()
    print(machine.header())
    bandwidth, matmul_rate = read_bytes_per_second(), matmul_flop_per_second(dtype.dtype)
    print(f"{torch.get_num_threads()} threads: reading {bandwidth / 1e9:.1f} GB/s, ", end="")
    print(f"{dtype} matmul {matmul_rate / 1e9:.0f} GFLOP/s")
    num_threads = torch.get_num_threads()
    kernels: Kernels = TorchKernels() if plain_torch else NativeKernels(num_threads)
    if kernels.is_native:
        torch.set_num_threads(1)
    model = load_model(
        checkpoint,
        dtype.dtype,
        torch.device("cpu"),
        lambda _: None,
        kernels=kernels,
        quantization=quantize.quantization,
        keeps_packed=kernels.is_native,
    )
    decodes = [profile_decode(model, batch, context) for batch in parse_streams(batches)]
    profiles = with_masks(decodes, checkpoint)
    profiles.append(profile_prefill(model, prefill_rows))
    Console(width=120).print(profile_table(profiles, bandwidth, matmul_rate))
    document = {
        "benchmark": "step_profile",
        "machine": machine.as_json(),
        "threads": num_threads,
        "kernels": kernels.name,
        "dtype": dtype,
        "quantize": quantize.value,
        "context": context,
        "read_bytes_per_second": bandwidth,
        "matmul_flop_per_second": matmul_rate,
        "profiles": [asdict(profile) for profile in profiles],
    }
    print(json.dumps(document))


if __name__ == "__main__":
    typer.run(main)
