"""Rounds of concurrent chats with a server, and the processor time that its API process takes."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import httpx2

from benchmarks.conversations import conversation
from benchmarks.process_tree import CpuTime
from benchmarks.streaming_client import CHAT, StreamTiming, stream_completion

GOAL = 0.5e-3
"""Seconds of the API process for a token of a stream, its share of the request included."""
FEWEST_TOKENS = 2
"""The first one opens the prompt, and is no text."""
TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLoad:
    """A round is one chat a stream, all sent at once."""

    streams: int = 16
    passage_words: int = 200
    output_tokens: int = 256
    rounds: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    cpu_seconds: float
    seconds: float
    timings: tuple[StreamTiming, ...]

    @property
    def num_tokens(self) -> int:
        return sum(timing.num_output_tokens for timing in self.timings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Medians over rounds. `cpu` is of the API process, `wall` from the first request to the last
    token, all streams together; `cpu_per_request` is that of a chat with hardly a reply.
    """

    step_seconds: float
    prompt_tokens: float
    cpu_per_token: float
    cpu_per_request: float
    wall_per_token: float
    cores: float

    @property
    def meets_goal(self) -> bool:
        return self.cpu_per_token < GOAL

    @staticmethod
    def of(step_seconds: float, whole: Sequence[Round], short: Sequence[Round]) -> "Overhead":
        """`short` rounds had hardly a reply."""
        prompts = [timing.num_prompt_tokens or 0 for timing in whole[0].timings]
        return Overhead(
            step_seconds=step_seconds,
            prompt_tokens=statistics.mean(prompts),
            cpu_per_token=statistics.median(r.cpu_seconds / r.num_tokens for r in whole),
            cpu_per_request=statistics.median(r.cpu_seconds / len(r.timings) for r in short),
            wall_per_token=statistics.median(r.seconds / r.num_tokens for r in whole),
            cores=statistics.median(r.cpu_seconds / r.seconds for r in whole),
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.meets_goal}


async def measure_overhead(
    url: str, pid: int, model: str, load: ChatLoad, step_seconds: float
) -> Overhead:
    """`pid` is the API process; a first round, which warms everything up, is not counted.

    Raises:
        ExceptionGroup: of StreamFailed: a request was refused or broke off.
    """
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False) as client:

        async def rounds(load: ChatLoad) -> list[Round]:
            return [await _round(client, url, pid, model, load) for _ in range(load.rounds)]

        short = replace(load, output_tokens=FEWEST_TOKENS)
        await rounds(replace(short, rounds=1))
        return Overhead.of(step_seconds, await rounds(load), await rounds(short))


async def _round(
    client: httpx2.AsyncClient, url: str, pid: int, model: str, load: ChatLoad
) -> Round:
    bodies = [_body(model, load, f"stream {stream}") for stream in range(load.streams)]
    used, started = CpuTime.of([pid]), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(stream_completion(client, url, body, CHAT)) for body in bodies]
    return Round(
        seconds=time.perf_counter() - started,
        cpu_seconds=CpuTime.of([pid]).since(used).running,
        timings=tuple(task.result() for task in tasks),
    )


def _body(model: str, load: ChatLoad, key: str) -> dict[str, Any]:
    return {
        "model": model,
        "messages": conversation(load.passage_words, key),
        "max_tokens": load.output_tokens,
        "temperature": 0.7,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
