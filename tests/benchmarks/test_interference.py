import asyncio
import os
from collections.abc import Callable

import pytest

from benchmarks.beside_prompt import (
    Interference,
    Moment,
    Phase,
    PhaseTooShort,
    measure_interference,
)
from benchmarks.interference import phase_table, summary
from benchmarks.process_tree import CpuTime
from benchmarks.streaming_client import StreamFailed, StreamTiming
from tests.benchmarks.fake_server import TOKEN_SECONDS, FakeServer

StartFake = Callable[[FakeServer], FakeServer]


def moment(at: float, running: float = 0.0, waiting: float = 0.0) -> Moment:
    return Moment(at=at, api=CpuTime(running, waiting), worker=CpuTime(10 * running, 0.0))


def test_a_phase_counts_what_lies_between_its_moments() -> None:
    chunks = [0.5, 1.1, 1.3, 1.5, 3.1, 4.1]
    answers = [(0.9, 9.0), (1.2, 0.002), (1.9, 0.004), (2.1, 9.0)]
    phase = Phase.of(moment(1.0, 1.0, 0.5), moment(2.0, 1.1, 0.7), chunks, answers)
    assert phase.gap.median == pytest.approx(0.2)
    assert phase.answer.median == pytest.approx(0.003)
    assert phase.api_cores == pytest.approx(0.1)
    assert phase.api_waiting == pytest.approx(0.2)
    assert phase.worker_cores == pytest.approx(1.0)


def test_a_phase_without_two_tokens_has_nothing_to_say() -> None:
    with pytest.raises(PhaseTooShort, match="1 tokens of the reply in 1.0 s"):
        Phase.of(moment(1.0), moment(2.0), [0.5, 1.5, 2.5], [(1.5, 0.001)])


def test_a_reply_is_read_alone_and_beside_a_prompt(start_fake: StartFake) -> None:
    server = start_fake(FakeServer(first_token_seconds=0.3))
    measured = asyncio.run(
        measure_interference(
            server.url, os.getpid(), "fake", prompt_tokens=40, alone_tokens=20, reply_tokens=500
        )
    )
    assert [len(body["prompt"].split()) for body in server.bodies] == [16, 40]
    assert [body["max_tokens"] for body in server.bodies] == [500, 1]
    assert measured.alone.gap.median >= TOKEN_SECONDS
    assert measured.beside.gap.median >= TOKEN_SECONDS
    assert measured.prompt.time_to_first_token >= 0.3
    assert measured.prompt.num_prompt_tokens == 40
    assert measured.alone.answer.median > 0
    assert measured.alone.api_cores > 0


def test_a_reply_that_ends_too_early_fails_the_measurement(start_fake: StartFake) -> None:
    server = start_fake(FakeServer())
    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(
            measure_interference(
                server.url, os.getpid(), "fake", prompt_tokens=9, alone_tokens=50, reply_tokens=4
            )
        )
    assert raised.group_contains(StreamFailed, match="ended after 4 tokens")


@pytest.mark.parametrize(("beside", "verdict"), [(0.2, "2.00x"), (0.21, "not met")])
def test_the_summary_says_whether_the_goal_is_met(beside: float, verdict: str) -> None:
    start, end = moment(0.0), moment(10.0)
    answers = [(1.0, 0.001)]
    measured = Interference(
        alone=Phase.of(start, end, [1.0, 1.1], answers),
        beside=Phase.of(start, end, [1.0, 1.0 + beside], answers),
        prompt=StreamTiming(
            sent=0.0, chunks=(9.0,), finished=9.0, num_prompt_tokens=2000, num_output_tokens=1
        ),
    )
    assert verdict in summary(measured)
    assert "2000 prompt tokens read in 9.0 s" in summary(measured)
    assert measured.as_json()["met"] == (verdict != "not met")
    assert phase_table(measured).row_count == 7
