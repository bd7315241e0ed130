"""One case from beginning to end: who takes part, what they measured, and what that amounts to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.alternating import Conditions, run_alternating
from benchmarks.cases import NUM_STREAMS, Case
from benchmarks.ceilings import Limits, measure_limits, median_limits
from benchmarks.llama_cpp import LlamaCpp, PeerMissing
from benchmarks.peers import Peer, granite_server, installed_peers
from benchmarks.shares import shares_of_limits
from benchmarks.side_by_side import PeerRuns, Verdict, compare
from kernels.library_path import library_path
from model_loader.config import read_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Who takes part besides our server with `flags`."""

    llama_cpp: LlamaCpp
    with_installed: bool
    threads: int
    flags: Sequence[str]

    def peers(self, case: Case) -> tuple[list[Peer], list[str]]:
        """Ours first; and what keeps others away."""
        peers, missing = [granite_server(self.threads, [*case.flags, *self.flags])], []
        for form in case.rivals:
            try:
                peers.append(self.llama_cpp.peer(form, NUM_STREAMS, self.threads))
            except PeerMissing as reason:
                missing.append(str(reason))
        if self.with_installed and case.quantization == "none":
            peers += installed_peers("bfloat16", self.threads)
        return peers, missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one case came to."""

    case: Case
    limits: Limits
    servers: Sequence[PeerRuns]
    missing: Sequence[str]
    verdicts: Sequence[Verdict]

    def as_json(self) -> dict[str, Any]:
        return {
            "format": self.case.name,
            "limits": asdict(self.limits),
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "servers": [server.as_json() for server in self.servers],
            "missing": list(self.missing),
        }


def run_case(case: Case, contest: Contest, conditions: Conditions) -> Outcome:
    """Measure the limits before every round, then all servers; a missing peer is reported now."""
    peers, missing = contest.peers(case)
    for text in missing:
        conditions.report(f"not measured: {text}")
    limits: list[Limits] = []
    servers = run_alternating(
        peers, conditions, lambda: limits.append(measure_limits(contest.threads))
    )
    ours, *others = servers
    shares = shares_of_limits(
        case,
        read_config(conditions.checkpoint),
        ours,
        median_limits(limits),
        is_native=library_path().exists(),
    )
    return Outcome(
        case=case,
        limits=median_limits(limits),
        servers=servers,
        missing=missing,
        verdicts=[*compare(case.name, case.goals, ours, others), *shares],
    )
