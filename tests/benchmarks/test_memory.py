import dataclasses
from pathlib import Path

import pytest

from benchmarks.cases import CASES
from benchmarks.load import Workload
from benchmarks.memory import Life, measure_life, meets_goals, memory_table, unpacked_copy
from tests.benchmarks.fake_peers import FAKE_SERVER, python_peer

INT4, INT8, BF16 = CASES
LIFE = Life(
    start="second",
    seconds_to_ready=5.0,
    loading_peak=3_300_000_000,
    loading_private_peak=3_000_000_000,
    loaded=3_000_000_000,
    loaded_private=2_800_000_000,
    peak=3_200_000_000,
    private_peak=3_100_000_000,
)


def test_goals_are_the_whole_peak_and_that_of_loading() -> None:
    assert meets_goals(INT4, LIFE)
    assert not meets_goals(INT4, dataclasses.replace(LIFE, peak=3_200_000_001))
    assert meets_goals(INT8, dataclasses.replace(LIFE, peak=4_600_000_000))
    assert meets_goals(BF16, dataclasses.replace(LIFE, peak=9_000_000_000))
    assert not meets_goals(BF16, dataclasses.replace(LIFE, loading_peak=4_000_000_000))


def test_the_table_has_a_line_a_life() -> None:
    assert memory_table([(INT4, [LIFE, LIFE]), (BF16, [LIFE])]).row_count == 3


def test_a_copy_for_a_first_start_lacks_only_what_was_packed(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    for name in ("config.json", "model.safetensors", "packed-int8.granite"):
        (checkpoint / name).write_text(name, encoding="utf-8")
    with unpacked_copy(checkpoint) as copy:
        (copy / "packed-int4.granite").write_text("new", encoding="utf-8")
        read = {path.name: path.read_text(encoding="utf-8") for path in copy.iterdir()}
    assert set(read) == {"config.json", "model.safetensors", "packed-int4.granite"}
    assert read["config.json"] == "config.json"
    assert not copy.exists()
    assert len(list(checkpoint.iterdir())) == 3


@pytest.mark.slow  # the whole life of a process
def test_a_life_is_measured_from_start_to_end(tmp_path: Path) -> None:
    workload = Workload(streams=(2,), prompt_tokens=5, output_tokens=3, repeats=1, timeout=10)
    peer = python_peer("good", FAKE_SERVER)
    life = measure_life("first", peer, tmp_path, workload, tmp_path / "log", 20.0)
    assert 0 < life.seconds_to_ready < 20
    assert 0 < life.loaded_private < life.loaded <= life.loading_peak <= life.peak
    assert life.loaded_private <= life.loading_private_peak <= life.private_peak
