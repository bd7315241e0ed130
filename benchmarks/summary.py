"""From the timings of streams to the figures that are reported: medians, p95s and rates."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.streaming_client import StreamTiming


@dataclass(frozen=True, slots=True)
class Spread:
    median: float
    p95: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        return Spread(statistics.median(values), nearest_rank(values, 0.95))


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSummary:
    """What a server did at one number of concurrent streams. Seconds, and tokens per second.

    A round is that many requests sent at once, one a stream. Rates are medians over rounds:
    `output_rate` = output tokens of the round / time to its last token, prompts included;
    `prefill_rate` = prompt tokens of the round / time until its last stream has its first token, so
    that early streams' decoding counts against it. `decode_rate` = 1 / median time per output
    token: what one stream sees.
    """

    streams: int
    prompt_tokens: float
    output_tokens: float
    time_to_first_token: Spread
    time_per_output_token: Spread | None
    gap: Spread | None
    output_rate: float
    prefill_rate: float | None
    decode_rate: float | None
    share_outside_forward_and_sampling: float | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def nearest_rank(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def summarise(
    rounds: Sequence[Sequence[StreamTiming]], share_outside: float | None
) -> LevelSummary:
    timings = [timing for streams in rounds for timing in streams]
    per_token = [t.time_per_output_token for t in timings if t.time_per_output_token is not None]
    gaps = [gap for timing in timings for gap in timing.gaps]
    prompts = [t.num_prompt_tokens for t in timings if t.num_prompt_tokens is not None]
    counted = len(prompts) == len(timings)
    token_time = Spread.of(per_token) if per_token else None
    return LevelSummary(
        streams=len(rounds[0]),
        prompt_tokens=statistics.mean(prompts) if counted else 0.0,
        output_tokens=statistics.mean(timing.num_output_tokens for timing in timings),
        time_to_first_token=Spread.of([timing.time_to_first_token for timing in timings]),
        time_per_output_token=token_time,
        gap=Spread.of(gaps) if gaps else None,
        output_rate=statistics.median(map(_output_rate, rounds)),
        prefill_rate=statistics.median(map(_prefill_rate, rounds)) if counted else None,
        decode_rate=1 / token_time.median if token_time and token_time.median else None,
        share_outside_forward_and_sampling=share_outside,
    )


def _output_rate(streams: Sequence[StreamTiming]) -> float:
    seconds = max(t.finished for t in streams) - min(t.sent for t in streams)
    return sum(timing.num_output_tokens for timing in streams) / seconds


def _prefill_rate(streams: Sequence[StreamTiming]) -> float:
    seconds = max(t.chunks[0] for t in streams) - min(t.sent for t in streams)
    return sum(timing.num_prompt_tokens or 0 for timing in streams) / seconds
