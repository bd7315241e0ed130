"""What a result was measured on: processor, memory, load, commit and versions."""

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

GIBIBYTE = 2**30
PACKAGES = ("torch", "transformers", "numpy", "vllm")
GIT_SECONDS = 10
FAST_INSTRUCTIONS = ("avx2", "avx_vnni", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`load_average` is that of the last minute: on a quiet machine close to 0."""

    measured_at: str
    processor: str
    cores: int
    memory_gib: float
    load_average: float
    commit: str
    python: str
    versions: dict[str, str]

    def header(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gib} GiB, "
            f"load {self.load_average}\n"
            f"commit {self.commit}, Python {self.python}, {packages}\n"
            f"{self.measured_at}"
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def describe_machine() -> Machine:
    """Read it now: call it before the measurement, or the load is the measurement's own."""
    return Machine(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE, 1),
        load_average=round(os.getloadavg()[0], 2),
        commit=_commit(),
        python=platform.python_version(),
        versions=_versions(),
    )


def _processor() -> str:
    """The model name; and the vector extensions that decide what the kernels can do."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    fields = {name.strip(): value.strip() for name, _, value in (li.partition(":") for li in lines)}
    flags = set(fields.get("flags", "").split())
    fast = [flag for flag in FAST_INSTRUCTIONS if flag in flags]
    name = fields.get("model name", platform.machine())
    return " ".join([name, f"({', '.join(fast)})"] if fast else [name])


def _commit() -> str:
    """Short hash, with a plus sign if tracked files differ from it."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            check=True,
            text=True,
            timeout=GIT_SECONDS,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
