"""Keeps benchmarks/LOG.md: one dated section a comparison, failures too."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.contest import Outcome
from benchmarks.side_by_side import HEADER


def append_section(
    log: Path, title: str, setup: Sequence[str], outcomes: Sequence[Outcome]
) -> None:
    """The newest section is the last, so that the file only ever grows at its end.

    `setup` says what it was measured on and how; the limits of the machine follow it.
    """
    lines = [f"## {title}", "", "```", *setup]
    lines += [f"{outcome.case.name}: {outcome.limits.describe()}" for outcome in outcomes]
    lines += ["```", "", *_table(outcomes)]
    for outcome in outcomes:
        lines += [f"\nNot measured: {text}." for text in outcome.missing]
        lines += _failures(outcome)
    with log.open("a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(lines) + "\n")


def _table(outcomes: Sequence[Outcome]) -> list[str]:
    """Markdown, a line a verdict."""
    rows = [verdict.cells() for outcome in outcomes for verdict in outcome.verdicts]
    return [f"| {' | '.join(row)} |" for row in (HEADER, ["---"] * len(HEADER), *rows)]


def _failures(outcome: Outcome) -> Iterable[str]:
    for server in outcome.servers:
        for failure in server.failures:
            yield f"\n{server.name} failed ({outcome.case.name}):\n\n```\n{_outline(failure)}\n```"


def _outline(failure: str) -> str:
    """First and last line: what happened, and what the server said last."""
    lines = failure.strip().splitlines()
    return "\n".join(dict.fromkeys([lines[0], lines[-1]]))
