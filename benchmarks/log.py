"""Keeps benchmarks/LOG.md: one dated section a comparison, failures too."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import Machine
from benchmarks.side_by_side import PeerRuns, Row, cells, header


def append_section(
    log: Path,
    machine: Machine,
    setup: str,
    results: Sequence[PeerRuns],
    rows: Sequence[Row],
    note: str,
) -> None:
    """The newest section is the last, so that the file only ever grows at its end."""
    lines = [f"## {machine.measured_at}: {note or 'comparison'}", ""]
    lines += ["```", machine.header(), setup, "```", "", *_table(results, rows)]
    for result in results:
        lines += [
            f"\n{result.name} failed:\n\n```\n{_outline(text)}\n```" for text in result.failures
        ]
    with log.open("a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(lines) + "\n")


def _table(results: Sequence[PeerRuns], rows: Sequence[Row]) -> list[str]:
    """Markdown: a column for each server, then our ratio to each but the first."""
    titles = header(results)
    return [_line(titles), _line(["---"] * len(titles)), *(_line(cells(row)) for row in rows)]


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _outline(failure: str) -> str:
    """First and last line: what happened, and what the server said last."""
    lines = failure.strip().splitlines()
    return "\n".join(dict.fromkeys([lines[0], lines[-1]]))
