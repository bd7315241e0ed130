import json
from pathlib import Path

import pytest
import typer

from benchmarks.cases import CASES, Case, choose_cases
from benchmarks.ceilings import Limits
from benchmarks.compare import main
from benchmarks.contest import Contest
from benchmarks.llama_cpp import LlamaCpp
from benchmarks.load import Workload
from benchmarks.machine import describe_machine
from benchmarks.peers import Peer
from tests.benchmarks.fake_peers import FAKE_SERVER, python_peer
from tests.tiny_checkpoint import TinyShape, write_json

NOWHERE = LlamaCpp(None, None)
LIMITS = Limits(read_bytes=30e9, bf16_operations=160e9, int8_operations=1200e9)
SMALL = (
    Workload(streams=(1,), prompt_tokens=8, output_tokens=3, repeats=1, timeout=10),
    Workload(streams=(8,), prompt_tokens=5, output_tokens=3, repeats=1, timeout=10),
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    write_json(tmp_path / "config.json", TinyShape().published_config())
    return tmp_path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.compare.WORKLOADS", SMALL)
    monkeypatch.setattr("benchmarks.contest.measure_limits", lambda _: LIMITS)


def test_peers_that_are_not_there_are_named_and_ours_runs_alone() -> None:
    contest = Contest(llama_cpp=NOWHERE, with_installed=False, threads=2, flags=["--port", "1"])
    peers, missing = contest.peers(choose_cases("int4")[0])
    assert [peer.name for peer in peers] == ["granite-server"]
    assert [text.partition(":")[0] for text in missing] == ["llama.cpp Q4_0", "llama.cpp Q4_K_M"]
    command = peers[0].command(Path("tiny"), 8123)
    assert command[-6:] == ["--dtype", "bf16", "--quantize", "int4", "--port", "1"]


def test_installed_peers_join_only_in_the_precision_that_they_serve() -> None:
    contest = Contest(llama_cpp=NOWHERE, with_installed=True, threads=2, flags=[])
    joined = {case.name: len(contest.peers(case)[0]) > 1 for case in CASES}
    assert joined == {"int4": False, "int8": False, "bf16": True}


def test_formats_are_chosen_by_name_and_keep_the_order_of_the_table() -> None:
    assert [case.name for case in choose_cases("bf16, int4")] == ["int4", "bf16"]
    with pytest.raises(typer.BadParameter, match="fp8: the formats are int4, int8, bf16"):
        choose_cases("int4,fp8")


def test_without_a_checkpoint_the_command_that_writes_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r"benchmarks\.true_shape --out"):
        main(tmp_path / "nothing")


@pytest.mark.slow  # whole lives of processes
@pytest.mark.usefixtures("small")
def test_the_command_ends_with_one_json_line_and_fails_if_a_server_did(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake_peers(_: Contest, case: Case) -> tuple[list[Peer], list[str]]:
        peers = [python_peer("good", FAKE_SERVER), python_peer(case.rivals[0], "-c", "1 / 0")]
        return peers, ["a third one"]

    monkeypatch.setattr(Contest, "peers", fake_peers)
    log = checkpoint / "LOG.md"
    with pytest.raises(typer.Exit) as raised:
        main(checkpoint, formats="int8", runs=1, log=log, note="a try")
    assert raised.value.exit_code == 1
    output = capsys.readouterr().out
    assert "not measured: a third one" in output
    (case,) = json.loads(output.splitlines()[-1])["formats"]
    assert (case["format"], case["missing"]) == ("int8", ["a third one"])
    assert [len(server["runs"]) for server in case["servers"]] == [1, 0]
    judged = {verdict["label"]: verdict for verdict in case["verdicts"]}
    assert len(judged) == 5
    assert all(verdict["ours"] > 0 for verdict in judged.values())
    assert judged["decode tok/s, 1 stream"]["met"] is None
    assert judged["decode GB/s, weights and state"]["met"] is False
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")


def test_the_machine_is_described_as_json() -> None:
    document = json.loads(json.dumps(describe_machine().as_json()))
    assert document["cores"] >= 1 and document["memory_gib"] > 0
    assert "torch" in document["versions"]
