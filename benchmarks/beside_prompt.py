"""A reply alone and beside a long prompt, measured on a running server of ours."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import httpx2

from benchmarks.process_tree import CpuTime, children
from benchmarks.prompts import random_prompt
from benchmarks.streaming_client import (
    LengthControl,
    StreamFailed,
    StreamTiming,
    completion_body,
    stream_completion,
    stream_events,
)
from benchmarks.summary import Spread

GOAL = 2.0
"""The most that the median time between tokens may grow."""
REPLY_WORDS = 16
SETTLING_TOKENS = 2
ASK_SECONDS = 0.1
POLL_SECONDS = 0.01
TIMEOUT = 600.0


class PhaseTooShort(Exception):
    """Nothing to compare: the prompt was read before the reply had gone on by two tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A reading of the processor times of both processes."""

    at: float
    api: CpuTime
    worker: CpuTime

    @staticmethod
    def now(pid: int) -> "Moment":
        return Moment(
            at=time.perf_counter(), api=CpuTime.of([pid]), worker=CpuTime.of(children(pid))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Seconds between tokens and to an answer of the API; cores that each process used or wanted.

    `api_waiting` is the time in which the API could have run but did not get a core.
    """

    gap: Spread
    answer: Spread
    api_cores: float
    api_waiting: float
    worker_cores: float

    @staticmethod
    def of(
        start: Moment, end: Moment, chunks: Sequence[float], answers: Sequence[tuple[float, float]]
    ) -> "Phase":
        """`chunks` are moments of text, `answers` moments of asking and seconds to the answer.

        Raises:
            PhaseTooShort: fewer than two chunks or no answer between start and end.
        """
        inside = [chunk for chunk in chunks if start.at <= chunk <= end.at]
        seconds_to_answers = [took for at, took in answers if start.at <= at <= end.at]
        seconds = end.at - start.at
        if len(inside) < 2 or not seconds_to_answers:
            raise PhaseTooShort(f"{len(inside)} tokens of the reply in {seconds:.1f} s")
        api, worker = end.api.since(start.api), end.worker.since(start.worker)
        return Phase(
            gap=Spread.of([later - earlier for earlier, later in pairwise(inside)]),
            answer=Spread.of(seconds_to_answers),
            api_cores=api.running / seconds,
            api_waiting=api.waiting / seconds,
            worker_cores=worker.running / seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interference:
    alone: Phase
    beside: Phase
    prompt: StreamTiming

    @property
    def ratio(self) -> float:
        """Median time between tokens beside the prompt, to that alone."""
        return self.beside.gap.median / self.alone.gap.median

    def as_json(self) -> dict[str, Any]:
        return {
            "alone": asdict(self.alone),
            "beside": asdict(self.beside),
            "prompt_tokens": self.prompt.num_prompt_tokens,
            "prompt_seconds": self.prompt.time_to_first_token,
            "ratio": self.ratio,
            "goal": GOAL,
            "met": self.ratio <= GOAL,
        }


async def measure_interference(
    url: str, pid: int, model: str, *, prompt_tokens: int, alone_tokens: int, reply_tokens: int
) -> Interference:
    """Read `alone_tokens` tokens of a reply alone, then go on until the prompt has been read.

    Raises:
        ExceptionGroup: of StreamFailed: a request was refused, or the reply ended too early.
        PhaseTooShort: the prompt was read too fast.
    """
    reply = _body(model, num_words=REPLY_WORDS, max_tokens=reply_tokens)
    chunks: list[float] = []
    answers: list[tuple[float, float]] = []
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with (
        httpx2.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        others = [
            group.create_task(_read_reply(client, url, reply, chunks)),
            group.create_task(_ask_often(client, url, answers)),
        ]
        await _until_longer(chunks, SETTLING_TOKENS)
        started = Moment.now(pid)
        await _until_longer(chunks, SETTLING_TOKENS + alone_tokens)
        sent = Moment.now(pid)
        prompt = await stream_completion(
            client, url, _body(model, num_words=prompt_tokens, max_tokens=1)
        )
        done = Moment.now(pid)
        for task in others:
            task.cancel()
    return Interference(
        alone=Phase.of(started, sent, chunks, answers),
        beside=Phase.of(sent, done, chunks, answers),
        prompt=prompt,
    )


def _body(model: str, *, num_words: int, max_tokens: int) -> dict[str, Any]:
    prompt = random_prompt(num_words, f"{num_words} words")
    return completion_body(model, prompt, max_tokens, LengthControl.IGNORE_EOS)


async def _read_reply(
    client: httpx2.AsyncClient, url: str, body: dict[str, Any], chunks: list[float]
) -> None:
    """Note the moment of each chunk of text, until cancelled."""
    async for now, event in stream_events(client, url, body):
        if any(choice.get("text") for choice in event.get("choices") or ()):
            chunks.append(now)
    raise StreamFailed(f"the reply ended after {len(chunks)} tokens, before the prompt was read")


async def _ask_often(
    client: httpx2.AsyncClient, url: str, answers: list[tuple[float, float]]
) -> None:
    """Note when the API was asked whether it lives, and the seconds to its answer."""
    while True:
        asked = time.perf_counter()
        await client.get(f"{url}/health/live")
        answers.append((asked, time.perf_counter() - asked))
        await asyncio.sleep(ASK_SECONDS)


async def _until_longer(chunks: Sequence[float], length: int) -> None:
    while len(chunks) <= length:
        await asyncio.sleep(POLL_SECONDS)
