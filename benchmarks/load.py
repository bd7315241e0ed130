"""Measure any server with OpenAI's completions route: `python -m benchmarks.load --url ...`.

Sends rounds of unique random prompts at several numbers of concurrent streams and prints times to
first token, times per token and rates. The last line of stdout is one JSON document.
"""

import asyncio
import json
from dataclasses import asdict, dataclass, replace
from typing import Annotated

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from benchmarks.prompts import random_prompt
from benchmarks.streaming_client import (
    LengthControl,
    StreamTiming,
    completion_body,
    stream_completion,
)
from benchmarks.summary import LevelSummary, Spread, summarise
from benchmarks.worker_time import read_worker_seconds

WARM_UP_WORDS = 16
WARM_UP_TOKENS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The same value gives the same requests. `timeout` is seconds without any byte received."""

    streams: tuple[int, ...] = (1, 4, 8, 16)
    prompt_tokens: int = 100
    output_tokens: int = 32
    repeats: int = 3
    seed: int = 0
    timeout: float = 600.0

    def describe(self) -> str:
        return f"{self.prompt_tokens} tokens in, {self.output_tokens} out, seed {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    url: str
    model: str
    length_control: LengthControl = LengthControl.IGNORE_EOS
    api_key: str | None = None


async def measure_server(target: Target, workload: Workload) -> list[LevelSummary]:
    """One summary per number of streams, in the order asked for.

    Raises:
        StreamFailed: the server does not answer with a stream of text.
        httpx2.HTTPError: the server cannot be reached or falls silent.
    """
    headers = {"Authorization": f"Bearer {target.api_key}"} if target.api_key else {}
    # A server may close an idle connection at the very moment at which it is used again.
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(
        headers=headers, timeout=workload.timeout, limits=limits, trust_env=False
    ) as client:
        words = min(WARM_UP_WORDS, workload.prompt_tokens)
        warm_up = replace(workload, prompt_tokens=words, output_tokens=WARM_UP_TOKENS)
        # As many at once as later: the memory of each of their states is slow to touch at first.
        await _send_round(client, target, warm_up, "warm-up", max(workload.streams))
        return [
            await _measure_level(client, target, workload, streams) for streams in workload.streams
        ]


async def _measure_level(
    client: httpx2.AsyncClient, target: Target, workload: Workload, streams: int
) -> LevelSummary:
    before = await read_worker_seconds(client, target.url)
    rounds = []
    for number in range(workload.repeats):
        name = f"{streams} {number}"
        rounds.append(await _send_round(client, target, workload, name, streams))
    after = await read_worker_seconds(client, target.url)
    spent = after.since(before) if before and after else None
    return summarise(rounds, spent.share_outside if spent else None)


async def _send_round(
    client: httpx2.AsyncClient, target: Target, workload: Workload, name: str, streams: int
) -> list[StreamTiming]:
    keys = [f"{name} {stream}" for stream in range(streams)]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_send(client, target, workload, key)) for key in keys]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


async def _send(
    client: httpx2.AsyncClient, target: Target, workload: Workload, key: str
) -> StreamTiming:
    prompt = random_prompt(workload.prompt_tokens, f"{workload.seed} {key}")
    body = completion_body(target.model, prompt, workload.output_tokens, target.length_control)
    return await stream_completion(client, target.url, body)


def level_table(title: str, levels: list[LevelSummary]) -> Table:
    columns = ("streams", "in", "out", "first token s", "p95", "per token s", "p95", "gap p95")
    table = Table(*columns, "tok/s a stream", "output tok/s", "prefill tok/s", title=title)
    for level in levels:
        table.add_row(
            str(level.streams),
            f"{level.prompt_tokens:.0f}",
            f"{level.output_tokens:.0f}",
            *_spread_cells(level.time_to_first_token),
            *_spread_cells(level.time_per_output_token),
            _spread_cells(level.gap)[1],
            *map(_cell, (level.decode_rate, level.output_rate, level.prefill_rate)),
        )
    return table


def _spread_cells(spread: Spread | None) -> tuple[str, str]:
    return (_cell(spread.median), _cell(spread.p95)) if spread else ("-", "-")


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def parse_streams(text: str) -> tuple[int, ...]:
    """Raises typer.BadParameter for anything but numbers above 0 with commas between them."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"{text!r} is not a list of numbers such as 1,4,8")
    return tuple(int(part) for part in parts)


def main(
    url: Annotated[str, typer.Option(help="without /v1")] = "http://127.0.0.1:8000",
    model: Annotated[str, typer.Option(help="name of the model in requests")] = "demo",
    api_key: Annotated[str | None, typer.Option(envvar="OPENAI_API_KEY")] = None,
    streams: Annotated[str, typer.Option(help="numbers of concurrent requests")] = "1,4,8,16",
    prompt_tokens: Annotated[int, typer.Option(min=1, help="words of each prompt")] = 100,
    output_tokens: Annotated[int, typer.Option(min=1)] = 32,
    repeats: Annotated[int, typer.Option(min=1, help="rounds at each number of streams")] = 3,
    seed: int = 0,
    length_control: LengthControl = LengthControl.IGNORE_EOS,
    timeout: Annotated[float, typer.Option(help="seconds of silence that end the run")] = 600.0,
) -> None:
    """Measure one running server."""
    workload = Workload(
        streams=parse_streams(streams),
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        repeats=repeats,
        seed=seed,
        timeout=timeout,
    )
    target = Target(url=url, model=model, length_control=length_control, api_key=api_key)
    machine = describe_machine()
    print(machine.header())
    levels = asyncio.run(measure_server(target, workload))
    Console(width=120).print(level_table(url, levels))
    document = {
        "benchmark": "load",
        "machine": machine.as_json(),
        "workload": asdict(workload),
        "levels": [level.as_json() for level in levels],
    }
    print(json.dumps(document))


if __name__ == "__main__":
    typer.run(main)
