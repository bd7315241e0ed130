"""Alternating runs: start a server, measure it, end it, then the next, several times over."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.load import Target, Workload, measure_server
from benchmarks.peers import Peer
from benchmarks.server_process import ServerFailed, running_server
from benchmarks.side_by_side import PeerRuns
from benchmarks.streaming_client import StreamFailed
from benchmarks.summary import LevelSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What all servers of a comparison have in common. Times are in seconds."""

    checkpoint: Path
    workloads: Sequence[Workload]
    rounds: int
    log_directory: Path
    start_timeout: float
    report: Callable[[str], None]


def run_alternating(
    peers: Sequence[Peer], conditions: Conditions, before_round: Callable[[], None]
) -> list[PeerRuns]:
    """Start, measure and end the servers one after the other, `rounds` times over.

    Alternation spreads a slow minute of the machine over all of them. A server that fails is
    recorded and the others go on. `before_round` runs while no server does.
    """
    results = [PeerRuns(peer.name) for peer in peers]
    for number in range(conditions.rounds):
        before_round()
        for peer, result in zip(peers, results, strict=True):
            conditions.report(f"run {number + 1} of {conditions.rounds}: {peer.name}")
            log_file = conditions.log_directory / f"{peer.name.replace(' ', '-')}-{number + 1}.log"
            try:
                result.runs.append(_measure(peer, conditions, log_file))
            except* (ServerFailed, StreamFailed, httpx2.HTTPError) as group:
                failure = "; ".join(f"{type(e).__name__}: {e}" for e in _leaves(group))
                result.failures.append(failure)
                conditions.report(f"failed: {failure}")
    return results


def _measure(peer: Peer, conditions: Conditions, log_file: Path) -> list[LevelSummary]:
    """One life of a server: the levels of all workloads, in their order."""
    checkpoint = conditions.checkpoint
    with running_server(peer, checkpoint, log_file, conditions.start_timeout) as server:
        target = Target(
            url=server.url, model=peer.model(checkpoint), length_control=peer.length_control
        )
        return [
            level
            for workload in conditions.workloads
            for level in asyncio.run(measure_server(target, workload))
        ]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
