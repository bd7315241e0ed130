import asyncio
from pathlib import Path

import pytest

from benchmarks.conversations import conversation
from benchmarks.echo_server import MODEL, echo_server
from benchmarks.echo_worker import EchoRunner
from benchmarks.log import append_lines, markdown_table
from benchmarks.overhead import HEADER, describe_load, overhead_rows
from benchmarks.overhead_run import ChatLoad, Overhead, Round, measure_overhead
from benchmarks.server_process import running_server
from benchmarks.streaming_client import StreamTiming
from engine.request import GenerationRequest
from engine.scheduler import Scheduler
from model_loader.resolve import DEMO_DIRECTORY
from tests.engine.fakes import make_request, small_options


def echoed(request: GenerationRequest) -> list[int]:
    scheduler, runner = Scheduler(small_options(), frozenset()), EchoRunner(0.0)
    scheduler.submit(1, request, 0.0)
    outputs = []
    while scheduler.has_work:
        plan = scheduler.next(0.0)
        scheduler.commit(plan, runner.run(plan))
        outputs += scheduler.take_outputs()
    return [token for token in (getattr(o.event, "token_id", None) for o in outputs) if token]


def test_the_worker_repeats_the_prompt_over_and_over() -> None:
    assert echoed(make_request((7, 8, 9), max_tokens=7)) == [7, 8, 9, 7, 8, 9, 7]


def test_conversations_are_the_same_for_the_same_key() -> None:
    messages = conversation(50, "a")
    assert messages == conversation(50, "a") != conversation(50, "b")
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert 50 <= len(messages[-1]["content"].split()) < 120


def a_round(cpu_seconds: float, num_tokens: int) -> Round:
    timing = StreamTiming(
        sent=0.0, chunks=(1.0,), finished=2.0, num_prompt_tokens=40, num_output_tokens=num_tokens
    )
    return Round(cpu_seconds=cpu_seconds, seconds=2.0, timings=(timing, timing))


@pytest.mark.parametrize(("cpu_seconds", "met"), [(0.09, "yes"), (0.1, "no")])
def test_the_processor_time_of_a_round_is_shared_by_its_tokens(
    cpu_seconds: float, met: str
) -> None:
    short = [a_round(0.004, 2)]
    overhead = Overhead.of(0.02, [a_round(cpu_seconds, 100)] * 2 + [a_round(9.0, 100)], short)
    assert overhead.prompt_tokens == 40
    assert overhead.cpu_per_token == pytest.approx(cpu_seconds / 200)
    assert overhead.cpu_per_request == pytest.approx(0.002)
    assert overhead.wall_per_token == pytest.approx(0.01)
    assert overhead.cores == pytest.approx(cpu_seconds / 2)
    assert overhead.as_json()["met"] == (met == "yes")
    ((pace, _, request, _, _, verdict),) = overhead_rows([overhead])
    assert (pace, request, verdict) == ("20 ms", "2.00 ms", met)
    assert "40 tokens in, 256 out" in describe_load(ChatLoad(), [overhead])


def test_a_section_of_the_log_has_its_setup_and_its_table(tmp_path: Path) -> None:
    log = tmp_path / "LOG.md"
    log.write_text("# Log\n")
    append_lines(log, "Today", ["a machine"], markdown_table(("x", "y"), [("1", "2")]))
    section = "\n## Today\n\n```\na machine\n```\n\n| x | y |\n| --- | --- |\n| 1 | 2 |\n"
    assert log.read_text() == "# Log\n" + section


def test_the_api_process_is_measured_over_http(tmp_path: Path) -> None:
    load = ChatLoad(streams=2, passage_words=20, output_tokens=9, rounds=1)
    peer = echo_server(0.0, load.streams)
    with running_server(peer, DEMO_DIRECTORY, tmp_path / "server.log", 60.0) as server:
        overhead = asyncio.run(
            measure_overhead(server.url, server.process.pid, MODEL, load, step_seconds=0.0)
        )
    assert overhead.prompt_tokens > 20
    assert overhead.cpu_per_token > 0
    assert overhead.cpu_per_request > 0
    assert overhead.wall_per_token > 0
    assert len(overhead_rows([overhead])[0]) == len(HEADER)
