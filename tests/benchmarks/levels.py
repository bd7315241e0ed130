"""Levels with known figures, as if a server had been measured."""

from benchmarks.summary import LevelSummary, Spread


def level(
    streams: int, *, output: float = 1.0, prefill: float | None = None, decode: float | None = None
) -> LevelSummary:
    """Rates in tokens a second; the times are no matter."""
    return LevelSummary(
        streams=streams,
        prompt_tokens=8,
        output_tokens=4,
        time_to_first_token=Spread(1.0, 1.0),
        time_per_output_token=None,
        gap=None,
        output_rate=output,
        prefill_rate=prefill,
        decode_rate=decode,
        share_outside_forward_and_sampling=None,
    )
