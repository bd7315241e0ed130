"""Alternating runs: start a server, measure it, end it, then the next, several times over."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx2

from benchmarks.load import Target, Workload, measure_server
from benchmarks.peers import Peer
from benchmarks.server_process import ServerFailed, running_server
from benchmarks.side_by_side import PeerRuns
from benchmarks.streaming_client import StreamFailed


def run_alternating(
    peers: Sequence[Peer],
    checkpoint: Path,
    workload: Workload,
    *,
    rounds: int,
    log_directory: Path,
    start_timeout: float,
    report: Callable[[str], None],
) -> list[PeerRuns]:
    """Start, measure and end the servers one after the other, `rounds` times over.

    Alternation spreads a slow minute of the machine over all of them. A server that fails is
    recorded and the others go on.
    """
    results = [PeerRuns(peer.name) for peer in peers]
    for number in range(rounds):
        for peer, result in zip(peers, results, strict=True):
            report(f"run {number + 1} of {rounds}: {peer.name}")
            log_file = log_directory / f"{peer.name.replace(' ', '-')}-{number + 1}.log"
            try:
                with running_server(peer, checkpoint, log_file, start_timeout) as url:
                    target = Target(
                        url=url, model=peer.model(checkpoint), length_control=peer.length_control
                    )
                    result.runs.append(asyncio.run(measure_server(target, workload)))
            except* (ServerFailed, StreamFailed, httpx2.HTTPError) as group:
                failure = "; ".join(f"{type(e).__name__}: {e}" for e in _leaves(group))
                result.failures.append(failure)
                report(f"failed: {failure}")
    return results


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
