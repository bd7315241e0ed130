import pytest

from benchmarks.streaming_client import StreamTiming
from benchmarks.summary import nearest_rank, summarise


def timing(sent: float, chunks: tuple[float, ...], finished: float) -> StreamTiming:
    return StreamTiming(
        sent=sent,
        chunks=chunks,
        finished=finished,
        num_prompt_tokens=100,
        num_output_tokens=5,
    )


def test_p95_is_a_value_that_occurred() -> None:
    assert nearest_rank([float(value) for value in range(1, 101)], 0.95) == 95.0
    assert nearest_rank([3.0, 1.0, 2.0], 0.95) == 3.0
    assert nearest_rank([7.0], 0.95) == 7.0


def test_rates_span_the_whole_round_of_streams() -> None:
    early = timing(0.0, (1.0, 2.0, 3.0, 4.0, 5.0), 5.0)
    late = timing(0.0, (4.0, 6.0, 8.0, 9.0, 10.0), 10.0)
    level = summarise([[early, late]], None)
    assert level.streams == 2
    assert level.output_rate == pytest.approx(10 / 10)
    assert level.prefill_rate == pytest.approx(200 / 4)
    assert level.time_to_first_token.median == pytest.approx(2.5)
    assert level.time_per_output_token is not None
    assert level.time_per_output_token.median == pytest.approx((1.0 + 1.5) / 2)
    assert level.decode_rate == pytest.approx(1 / 1.25)
    assert level.gap is not None and level.gap.p95 == 2.0


def test_a_rate_is_the_median_over_rounds() -> None:
    fast = timing(0.0, (0.5, 1.0), 1.0)
    slow = timing(0.0, (5.0, 10.0), 10.0)
    assert summarise([[fast], [slow], [fast]], None).output_rate == pytest.approx(5.0)


def test_tokens_that_came_in_one_chunk_count_by_usage() -> None:
    merged = timing(0.0, (1.0,), 3.0)
    assert merged.time_per_output_token == pytest.approx(2.0 / 4)
    assert merged.gaps == []
