import json
import sys
import time
from pathlib import Path

import psutil
import pytest
import typer

from benchmarks.alternating import run_alternating
from benchmarks.compare import main
from benchmarks.load import Workload
from benchmarks.log import append_section
from benchmarks.machine import describe_machine
from benchmarks.peers import Peer, granite_server, llama_server, transformers_serve
from benchmarks.server_process import ServerFailed, running_server
from benchmarks.side_by_side import METRICS, PeerRuns, cells, compare, header
from benchmarks.streaming_client import LengthControl
from benchmarks.summary import LevelSummary, Spread
from server.command_line import parse_settings

pytestmark = pytest.mark.slow  # whole lives of processes

FAKE_SERVER = Path(__file__).parent / "fake_server.py"
WORKLOAD = Workload(streams=(1, 2), prompt_tokens=8, output_tokens=4, repeats=1, timeout=10)
TIMEOUT = 20.0


def python_peer(name: str, *arguments: str) -> Peer:
    return Peer(
        name=name,
        command=lambda _, port: [sys.executable, *arguments, "--port", str(port)],
        model=lambda _: "fake",
        length_control=LengthControl.NONE,
    )


def level(streams: int, seconds: float, rate: float) -> LevelSummary:
    return LevelSummary(
        streams=streams,
        prompt_tokens=8,
        output_tokens=4,
        time_to_first_token=Spread(seconds, seconds),
        time_per_output_token=None,
        gap=None,
        output_rate=rate,
        prefill_rate=rate,
        decode_rate=None,
        share_outside_forward_and_sampling=None,
    )


def test_servers_alternate_and_one_that_fails_stops_nobody_else(tmp_path: Path) -> None:
    good = python_peer("good", str(FAKE_SERVER))
    broken = python_peer("broken", "-c", "raise SystemExit('no such model')")
    reports: list[str] = []
    results = run_alternating(
        [good, broken],
        tmp_path,
        WORKLOAD,
        rounds=2,
        log_directory=tmp_path,
        start_timeout=TIMEOUT,
        report=reports.append,
    )
    assert [line.partition(": ")[2] for line in reports if line.startswith("run")] == [
        "good",
        "broken",
    ] * 2
    assert [len(result.runs) for result in results] == [2, 0]
    assert results[0].failures == []
    assert all("no such model" in failure for failure in results[1].failures)
    assert [summary.streams for summary in results[0].runs[0]] == [1, 2]


def test_a_server_is_gone_after_its_run_with_its_children(tmp_path: Path) -> None:
    code = (
        "import os, runpy, subprocess, sys;"
        "child = subprocess.Popen(['sleep', '60']);"
        "print(os.getpid(), child.pid, flush=True);"
        f"runpy.run_path({str(FAKE_SERVER)!r}, run_name='__main__')"
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


def test_ratios_are_above_one_where_the_first_server_is_better() -> None:
    ours = PeerRuns("ours", runs=[[level(1, 1.0, 30.0)], [level(1, 3.0, 10.0)]])
    peer = PeerRuns("peer", runs=[[level(1, 4.0, 5.0)]])
    rows = {row.label: row for row in compare([ours, peer], [1])}
    assert len(rows) == len(METRICS)
    assert rows["first token, s"].values == (2.0, 4.0)
    assert rows["first token, s"].ratios == (2.0,)
    assert rows["output tok/s"].ratios == (4.0,)
    assert cells(rows["tok/s a stream"]) == ["1", "tok/s a stream", "-", "-", "-"]
    assert header([ours, peer]) == ["streams", "median", "ours", "peer", "vs peer"]


def test_the_log_grows_at_its_end_and_keeps_failures(tmp_path: Path) -> None:
    log = tmp_path / "LOG.md"
    log.write_text("# Log\n", encoding="utf-8")
    machine = describe_machine()
    results = [
        PeerRuns("ours", runs=[[level(1, 1.0, 30.0)]]),
        PeerRuns("peer", failures=["ServerFailed: peer ended\nlong output\nout of memory"]),
    ]
    for note in ("first try", "second try"):
        append_section(log, machine, "tiny, bf16", results, compare(results, [1]), note)
    text = log.read_text(encoding="utf-8")
    assert text.startswith("# Log\n")
    assert text.index("first try") < text.index("second try")
    assert machine.processor in text and machine.commit in text and "tiny, bf16" in text
    assert "| 1 | output tok/s | 30 | - | - |" in text
    assert "peer failed" in text and "out of memory" in text and "long output" not in text


def test_every_peer_is_started_on_the_loopback_interface_with_the_checkpoint() -> None:
    checkpoint = Path("/models/tiny")
    for peer in (granite_server(2, []), transformers_serve("float32", 2)):
        command = peer.command(checkpoint, 8123)
        assert str(checkpoint) in command and "8123" in command
    assert transformers_serve("float32", 2).model(checkpoint) == str(checkpoint)
    llama = llama_server(Path("llama-server"), Path("granite.gguf"), 4, 2)
    command = llama.command(checkpoint, 8123)
    assert command[command.index("--parallel") + 1] == "4"


def test_our_flags_are_those_of_our_command_line() -> None:
    command = granite_server(3, ["--dtype", "fp32"]).command(Path("/models/tiny"), 8123)
    settings = parse_settings(command[command.index("serve") + 1 :])
    assert (settings.model, settings.port, settings.dtype) == ("/models/tiny", 8123, "fp32")
    assert (settings.threads, settings.served_model_name) == (3, ["bench"])


def test_the_command_ends_with_one_json_line_and_fails_if_a_server_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    peers = [python_peer("good", str(FAKE_SERVER)), python_peer("broken", "-c", "1 / 0")]
    monkeypatch.setattr("benchmarks.compare.choose_peers", lambda *_: peers)
    with pytest.raises(typer.Exit) as raised:
        main(tmp_path, streams="2", output_tokens=3, rounds=1, log=tmp_path / "LOG.md")
    assert raised.value.exit_code == 1
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [len(server["runs"]) for server in document["servers"]] == [1, 0]
    assert document["rows"][0]["streams"] == 2
    assert "ZeroDivisionError" in (tmp_path / "LOG.md").read_text(encoding="utf-8")


def test_every_peer_gets_the_same_number_of_threads() -> None:
    checkpoint = Path("/models/tiny")
    ours = granite_server(3, ["--dtype", "fp32"]).command(checkpoint, 8123)
    assert ours[ours.index("--threads") + 1] == "3"
    assert transformers_serve("float32", 3).environment["OMP_NUM_THREADS"] == "3"
    llama = llama_server(Path("llama-server"), Path("a.gguf"), 1, 3).command(checkpoint, 8123)
    assert llama[llama.index("--threads") + 1] == "3"


def test_the_machine_is_described_as_json() -> None:
    document = json.loads(json.dumps(describe_machine().as_json()))
    assert document["cores"] >= 1 and document["memory_gib"] > 0
    assert "torch" in document["versions"]
