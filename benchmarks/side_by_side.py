"""What several servers measured, side by side: medians over runs, ratios, and goals met or not."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cases import Figure
from benchmarks.summary import LevelSummary

HEADER = ("weights", "measured", "granite-server", "compared with", "ratio", "goal", "met")


@dataclass(frozen=True, slots=True)
class PeerRuns:
    """What one server did: a list of summaries a run, and why other runs failed."""

    name: str
    runs: list[list[LevelSummary]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def median(self, figure: Figure) -> float | None:
        """Over the runs; None if no run measured it."""
        values = [
            value
            for levels in self.runs
            for level in levels
            if level.streams == figure.streams and (value := figure.value(level)) is not None
        ]
        return statistics.median(values) if values else None

    def as_json(self) -> dict[str, Any]:
        runs = [[level.as_json() for level in levels] for levels in self.runs]
        return {"name": self.name, "runs": runs, "failures": self.failures}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rate of ours beside the peers' or the machine's limit; more is better.

    `goal` is the least ratio to the best of `others`.
    """

    case: str
    label: str
    ours: float | None
    others: Mapping[str, float | None]
    goal: float

    @property
    def ratio(self) -> float | None:
        """Ours to the best of the others; None where either is missing."""
        best = max((value for value in self.others.values() if value), default=None)
        return self.ours / best if self.ours and best else None

    @property
    def is_met(self) -> bool | None:
        return None if self.ratio is None else self.ratio >= self.goal

    def as_json(self) -> dict[str, Any]:
        return {
            "case": self.case,
            "label": self.label,
            "ours": self.ours,
            "others": dict(self.others),
            "ratio": self.ratio,
            "goal": self.goal,
            "met": self.is_met,
        }

    def cells(self) -> list[str]:
        """Text for the columns of `HEADER`."""
        others = [f"{name} {_cell(value)}" for name, value in self.others.items()]
        return [
            self.case,
            self.label,
            _cell(self.ours),
            ", ".join(others) or "-",
            "-" if self.ratio is None else f"{self.ratio:.2f}x",
            f"{self.goal:.2f}x",
            {None: "-", True: "yes", False: "no"}[self.is_met],
        ]


def compare(
    case: str, goals: Mapping[Figure, float], ours: PeerRuns, others: Sequence[PeerRuns]
) -> list[Verdict]:
    """Medians of all servers: a verdict a figure."""
    return [
        Verdict(
            case=case,
            label=figure.label,
            ours=ours.median(figure),
            others={other.name: other.median(figure) for other in others},
            goal=goal,
        )
        for figure, goal in goals.items()
    ]


def _cell(value: float | None) -> str:
    """Three digits, but whole numbers whole."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
