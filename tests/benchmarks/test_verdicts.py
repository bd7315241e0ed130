from pathlib import Path

import pytest

from benchmarks.cases import CASES, DECODE, OUTPUT, PREFILL, Case
from benchmarks.ceilings import Limits, median_limits
from benchmarks.contest import Outcome
from benchmarks.log import append_section
from benchmarks.shares import shares_of_limits
from benchmarks.side_by_side import PeerRuns, Verdict, compare
from model_loader.config import read_config
from tests.benchmarks.levels import level

GRANITE_CONFIG = Path(__file__).parent.parent.parent / "benchmarks" / "granite"
INT4, INT8, BF16 = CASES
LIMITS = Limits(read_bytes=30e9, bf16_operations=160e9, int8_operations=1200e9)


def verdict(ours: float | None, others: dict[str, float | None], goal: float = 1.3) -> Verdict:
    return Verdict(case="int4", label="decode tok/s", ours=ours, others=others, goal=goal)


def outcome(verdicts: list[Verdict], *servers: PeerRuns, missing: tuple[str, ...] = ()) -> Outcome:
    return Outcome(case=INT4, limits=LIMITS, servers=servers, missing=missing, verdicts=verdicts)


def test_a_ratio_is_to_the_best_of_the_others() -> None:
    assert verdict(13.0, {"Q4_0": 10.0, "Q4_K_M": 5.0}).ratio == pytest.approx(1.3)
    assert verdict(13.0, {"Q4_0": None, "Q4_K_M": 5.0}).ratio == pytest.approx(2.6)


def test_a_goal_is_met_from_its_very_value_on() -> None:
    assert verdict(1.3, {"peer": 1.0}).is_met is True
    assert verdict(1.29, {"peer": 1.0}).is_met is False


@pytest.mark.parametrize("others", [{}, {"Q4_0": None}])
def test_without_a_peer_there_is_neither_ratio_nor_judgement(
    others: dict[str, float | None],
) -> None:
    for ours in (13.0, None):
        alone = verdict(ours, others)
        assert (alone.ratio, alone.is_met) == (None, None)
        assert alone.cells()[-3:] == ["-", "1.30x", "-"]


def test_large_rates_are_written_out() -> None:
    assert verdict(1234.5, {"limit": 0.98765}).cells()[2:4] == ["1234", "limit 0.988"]


def test_figures_are_medians_over_runs_at_their_number_of_streams() -> None:
    ours = PeerRuns("ours")
    for decode, output in ((3.0, 20.0), (5.0, 40.0), (4.0, 90.0)):
        ours.runs.append([level(1, decode=decode, prefill=50.0), level(8, output=output)])
    peer = PeerRuns("peer", runs=[[level(1, decode=2.0, prefill=25.0), level(8, output=8.0)]])
    verdicts = compare("int4", INT4.goals, ours, [peer])
    assert [verdict.ours for verdict in verdicts] == [4.0, 50.0, 40.0]
    assert [verdict.others["peer"] for verdict in verdicts] == [2.0, 25.0, 8.0]
    assert [verdict.ratio for verdict in verdicts] == [2.0, 2.0, 5.0]
    assert [verdict.is_met for verdict in verdicts] == [True, False, True]


def test_every_format_has_a_goal_for_every_figure() -> None:
    for case in CASES:
        assert set(case.goals) == {DECODE, PREFILL, OUTPUT}
        assert case.rivals


@pytest.mark.parametrize(
    ("case", "gigabytes", "operations"),
    [(INT4, 2.03, 1200), (INT8, 3.5, 1200), (BF16, 6.5, 160)],
    ids=lambda value: getattr(value, "name", None),
)
def test_decoding_is_compared_with_reading_and_prefill_with_the_matmul_of_its_format(
    case: Case, gigabytes: float, operations: float
) -> None:
    ours = PeerRuns("ours", runs=[[level(1, decode=4.0, prefill=10.0)]])
    config = read_config(GRANITE_CONFIG)
    reading, multiplying = shares_of_limits(case, config, ours, LIMITS, is_native=True)
    assert reading.ours == pytest.approx(4 * gigabytes, rel=0.05)
    assert list(reading.others.values()) == [30.0]
    assert multiplying.ours == pytest.approx(10 * 5.97, rel=0.02)
    assert list(multiplying.others.values()) == [operations]


def test_a_server_that_never_answered_has_no_share() -> None:
    config = read_config(GRANITE_CONFIG)
    for share in shares_of_limits(INT8, config, PeerRuns("ours"), LIMITS, is_native=True):
        assert share.is_met is None


def test_the_median_of_limits_is_that_of_each_rate() -> None:
    measured = [
        Limits(read_bytes=1.0, bf16_operations=9.0, int8_operations=5.0),
        Limits(read_bytes=2.0, bf16_operations=8.0, int8_operations=6.0),
        Limits(read_bytes=3.0, bf16_operations=7.0, int8_operations=1.0),
    ]
    assert median_limits(measured) == Limits(
        read_bytes=2.0, bf16_operations=8.0, int8_operations=5.0
    )


def test_the_log_grows_at_its_end_and_keeps_failures(tmp_path: Path) -> None:
    log = tmp_path / "LOG.md"
    log.write_text("# Log\n", encoding="utf-8")
    failed = PeerRuns("peer", failures=["ServerFailed: peer ended\nlong output\nout of memory"])
    result = outcome([verdict(13.0, {"Q4_0": 10.0})], failed, missing=("llama.cpp Q4_K_M",))
    for title in ("first try", "second try"):
        append_section(log, title, ["a fast machine", "two threads"], [result])
    text = log.read_text(encoding="utf-8")
    assert text.startswith("# Log\n")
    assert text.index("first try") < text.index("second try")
    assert "a fast machine\ntwo threads\nint4: reading 30.0 GB/s" in text
    assert "| int4 | decode tok/s | 13 | Q4_0 10 | 1.30x | 1.30x | yes |" in text
    assert "Not measured: llama.cpp Q4_K_M." in text
    assert "peer failed" in text and "out of memory" in text and "long output" not in text
