"""What quantisation costs in quality: `python -m benchmarks.quality [DIRECTORY]`.

Every form of the weights reads the same held-out dialogues, and its next-token distributions are
compared with those of bf16 and fp32. Replies and prompts are counted apart: the demo model was
trained on replies only, so what it expects inside a prompt is noise. CPU only. The last line of
stdout is one JSON document.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, get_args

import torch
import typer
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer
from torch import Tensor

from benchmarks.divergence import Divergence, divergences_from
from benchmarks.machine import describe_machine
from benchmarks.teacher_forcing import CPU, log_probabilities
from kernels.interface import Kernels
from kernels.library_path import library_path
from kernels.native_library import NativeKernels
from kernels.torch_kernels import TorchKernels
from model_loader.demo.evaluate import held_out
from model_loader.demo.export import TEMPLATE_NAME
from model_loader.demo.rendering import Row, RowEncoder, load_template
from model_loader.demo.suites import SUITES
from model_loader.footprint import Quantization
from model_loader.load import load_model
from model_loader.resolve import DEMO_DIRECTORY

SEED = 4711
DIALOGUES_A_ROUND = 4
"""Of each suite; of a long one, whose dialogues are ten times as long, only one."""
REFERENCES = ("fp32", "bf16")
FORMS = (*REFERENCES, "int8", "int4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One form against one reference."""

    form: str
    reference: str
    replies: Divergence
    prompts: Divergence


def held_out_rows(directory: Path, reply_tokens: int) -> list[Row]:
    """Dialogues of all suites in turn until their replies have that many tokens."""
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    encoder = RowEncoder(load_template(directory / TEMPLATE_NAME), tokenizer)
    rows: list[Row] = []
    found, number = 0, 0
    while found < reply_tokens:
        for suite in SUITES:
            count = 1 if "1,000+" in suite else DIALOGUES_A_ROUND
            rows += map(encoder.encode, held_out(suite, encoder, count, seed=SEED + number))
        found, number = sum(sum(row.answers) for row in rows), number + 1
    return rows


def compare_forms(
    directory: Path, rows: Sequence[Row], forms: Sequence[str], kernels: Kernels
) -> Iterator[Comparison]:
    """Each form against the references that come before it in `forms`."""
    in_reply = torch.tensor([answer for row in rows for answer in row.answers[1:]])
    references: dict[str, list[Tensor]] = {}
    for form in forms:
        own = _expectations(directory, rows, form, kernels)
        for name, expected in references.items():
            divergences, same_top = divergences_from(expected, own)
            yield Comparison(
                form=form,
                reference=name,
                replies=Divergence.summarise(divergences[in_reply], same_top[in_reply]),
                prompts=Divergence.summarise(divergences[~in_reply], same_top[~in_reply]),
            )
        if form in REFERENCES:
            references[form] = own


def _expectations(
    directory: Path, rows: Sequence[Row], form: str, kernels: Kernels
) -> list[Tensor]:
    """Before every token but the first of each dialogue, what the model expects there."""
    quantization: Quantization = next((q for q in get_args(Quantization) if q == form), "none")
    dtype = torch.float32 if form == "fp32" else torch.bfloat16
    model = load_model(
        directory, dtype, CPU, lambda _: None, kernels=kernels, quantization=quantization
    )
    return log_probabilities(model, [row.ids[:-1] for row in rows])


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    table = Table("", "tokens", "mean KL", "99 %", "largest", "same top token")
    for comparison in comparisons:
        for part, divergence in (("replies", comparison.replies), ("prompts", comparison.prompts)):
            table.add_row(
                f"{comparison.form} of {comparison.reference}, {part}",
                f"{divergence.positions}",
                *(
                    f"{value:.1e}"
                    for value in (divergence.mean, divergence.percentile_99, divergence.largest)
                ),
                f"{divergence.same_top:.2%}",
            )
    return table


def main(
    directory: Annotated[Path, typer.Argument(help="checkpoint directory")] = DEMO_DIRECTORY,
    forms: Annotated[str, typer.Option(help="weights to compare, references first")] = ",".join(
        FORMS
    ),
    reply_tokens: Annotated[int, typer.Option(min=1, help="at least so many")] = 4000,
    threads: Annotated[int | None, typer.Option(min=1, help="default: all cores")] = None,
) -> None:
    """Compare the forms of one checkpoint's weights."""
    chosen = forms.split(",")
    if unknown := set(chosen) - set(FORMS):
        raise typer.BadParameter(f"{min(unknown)} is none of {', '.join(FORMS)}")
    machine = describe_machine()
    kernels = measuring_kernels(threads or len(os.sched_getaffinity(0)))
    rows = held_out_rows(directory, reply_tokens)
    comparisons = list(compare_forms(directory, rows, chosen, kernels))
    print(machine.header())
    Console(width=120).print(comparison_table(comparisons))
    document = {
        "benchmark": "quality",
        "machine": machine.as_json(),
        "kernels": kernels.name,
        "comparisons": [asdict(comparison) for comparison in comparisons],
    }
    print(json.dumps(document))


def measuring_kernels(threads: int) -> Kernels:
    """The native kernels, or where they were not built, their slower twins."""
    if not library_path().exists():
        torch.set_num_threads(threads)
        return TorchKernels()
    torch.set_num_threads(1)
    return NativeKernels(threads)


if __name__ == "__main__":
    typer.run(main)
