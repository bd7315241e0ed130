"""What several servers measured, side by side: medians over runs and our ratio to each."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.summary import LevelSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`is_rate`: more is better. Otherwise it is a time, and less is better."""

    label: str
    value: Callable[[LevelSummary], float | None]
    is_rate: bool


METRICS = (
    Metric(label="first token, s", value=lambda s: s.time_to_first_token.median, is_rate=False),
    Metric(label="tok/s a stream", value=lambda s: s.decode_rate, is_rate=True),
    Metric(label="output tok/s", value=lambda s: s.output_rate, is_rate=True),
    Metric(label="prefill tok/s", value=lambda s: s.prefill_rate, is_rate=True),
)


@dataclass(frozen=True, slots=True)
class PeerRuns:
    """What one server did: a list of summaries a run, and why other runs failed."""

    name: str
    runs: list[list[LevelSummary]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def median(self, metric: Metric, streams: int) -> float | None:
        """Over the runs; None if no run measured it."""
        values = [
            value
            for levels in self.runs
            for level in levels
            if level.streams == streams and (value := metric.value(level)) is not None
        ]
        return statistics.median(values) if values else None

    def as_json(self) -> dict[str, Any]:
        runs = [[level.as_json() for level in levels] for levels in self.runs]
        return {"name": self.name, "runs": runs, "failures": self.failures}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric at one number of streams; `ratios` are ours to each peer's, above 1 if better."""

    streams: int
    label: str
    values: tuple[float | None, ...]
    ratios: tuple[float | None, ...]


def compare(results: Sequence[PeerRuns], streams: Sequence[int]) -> list[Row]:
    """Medians of all servers, the first being the one that the others are compared with."""
    rows = []
    for level in streams:
        for metric in METRICS:
            values = tuple(result.median(metric, level) for result in results)
            ratios = tuple(_ratio(values[0], value, metric.is_rate) for value in values[1:])
            rows.append(Row(streams=level, label=metric.label, values=values, ratios=ratios))
    return rows


def _ratio(ours: float | None, theirs: float | None, is_rate: bool) -> float | None:
    if not ours or not theirs:
        return None
    return ours / theirs if is_rate else theirs / ours


def header(results: Sequence[PeerRuns]) -> list[str]:
    names = [result.name for result in results]
    return ["streams", "median", *names, *(f"vs {name}" for name in names[1:])]


def cells(row: Row) -> list[str]:
    values = ["-" if value is None else f"{value:.3g}" for value in row.values]
    ratios = ["-" if ratio is None else f"{ratio:.2f}x" for ratio in row.ratios]
    return [str(row.streams), row.label, *values, *ratios]
