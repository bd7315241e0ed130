"""Keeps benchmarks/LOG.md: one dated section a run, failures too."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.contest import Outcome
from benchmarks.side_by_side import HEADER


def append_section(
    log: Path, title: str, setup: Sequence[str], outcomes: Sequence[Outcome]
) -> None:
    """A comparison's. The limits of the machine follow the setup."""
    limits = [f"{outcome.case.name}: {outcome.limits.describe()}" for outcome in outcomes]
    rows = [verdict.cells() for outcome in outcomes for verdict in outcome.verdicts]
    lines = markdown_table(HEADER, rows)
    for outcome in outcomes:
        lines += [f"\nNot measured: {text}." for text in outcome.missing]
        lines += _failures(outcome)
    append_lines(log, title, [*setup, *limits], lines)


def append_lines(log: Path, title: str, setup: Sequence[str], lines: Sequence[str]) -> None:
    """The newest section is the last, so that the file only ever grows at its end.

    `setup` says what it was measured on and how.
    """
    section = [f"## {title}", "", "```", *setup, "```", "", *lines]
    with log.open("a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(section) + "\n")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def _failures(outcome: Outcome) -> Iterable[str]:
    for server in outcome.servers:
        for failure in server.failures:
            yield f"\n{server.name} failed ({outcome.case.name}):\n\n```\n{_outline(failure)}\n```"


def _outline(failure: str) -> str:
    """First and last line: what happened, and what the server said last."""
    lines = failure.strip().splitlines()
    return "\n".join(dict.fromkeys([lines[0], lines[-1]]))
