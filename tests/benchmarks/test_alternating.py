import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks.alternating import Conditions, run_alternating
from benchmarks.load import Workload
from benchmarks.server_process import ServerFailed, running_server
from tests.benchmarks.fake_peers import FAKE_SERVER, python_peer

pytestmark = pytest.mark.slow  # whole lives of processes

WORKLOADS = (
    Workload(streams=(1,), prompt_tokens=8, output_tokens=4, repeats=1, timeout=10),
    Workload(streams=(2,), prompt_tokens=5, output_tokens=3, repeats=1, timeout=10),
)
TIMEOUT = 20.0


def conditions(directory: Path, report: Callable[[str], None]) -> Conditions:
    return Conditions(
        checkpoint=directory,
        workloads=WORKLOADS,
        rounds=2,
        log_directory=directory,
        start_timeout=TIMEOUT,
        report=report,
    )


def test_servers_alternate_and_one_that_fails_stops_nobody_else(tmp_path: Path) -> None:
    good = python_peer("good", FAKE_SERVER)
    broken = python_peer("broken", "-c", "raise SystemExit('no such model')")
    events: list[str] = []
    results = run_alternating(
        [good, broken], conditions(tmp_path, events.append), lambda: events.append("limits")
    )
    order = [line.rpartition(": ")[2] for line in events if not line.startswith("failed")]
    assert order == ["limits", "good", "broken"] * 2
    assert [len(result.runs) for result in results] == [2, 0]
    assert results[0].failures == []
    assert all("no such model" in failure for failure in results[1].failures)


def test_a_run_measures_every_workload_in_one_life_of_the_server(tmp_path: Path) -> None:
    good = python_peer("good", FAKE_SERVER)
    (result,) = run_alternating([good], conditions(tmp_path, lambda _: None), lambda: None)
    for run in result.runs:
        assert [(level.streams, level.prompt_tokens) for level in run] == [(1, 8), (2, 5)]


def test_a_server_is_gone_after_its_run_with_its_children(tmp_path: Path) -> None:
    code = (
        "import os, runpy, subprocess, sys;"
        "child = subprocess.Popen(['sleep', '60']);"
        "print(os.getpid(), child.pid, flush=True);"
        f"runpy.run_path({FAKE_SERVER!r}, run_name='__main__')"
    )
    log = tmp_path / "log"
    with running_server(python_peer("own", "-c", code), tmp_path, log, TIMEOUT):
        pids = [int(word) for word in log.read_text(encoding="utf-8").split()[:2]]
        assert all(is_running(pid) for pid in pids)
    deadline = time.monotonic() + TIMEOUT  # a killed process takes a moment to go
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_server_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    sleeper = python_peer("sleeper", "-c", "import time; time.sleep(60)")
    with (
        pytest.raises(ServerFailed, match="sleeper was not ready after 1 s"),
        running_server(sleeper, tmp_path, tmp_path / "log", 1.0),
    ):
        pytest.fail("it cannot be ready")
