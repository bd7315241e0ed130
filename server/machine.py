"""What this machine offers a model: cores, free memory, bf16, a GPU. Measures, decides nothing."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from kernels.library_path import library_path

MEBIBYTE = 2**20
PROBE_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`free_gpu_bytes` is None where no GPU answers or the installed torch cannot use one.

    `has_native_kernels` is about the installation, `has_avx2` about the processor.
    """

    cores: int
    free_bytes: int
    has_fast_bf16: bool
    has_native_kernels: bool = False
    has_avx2: bool = False
    free_gpu_bytes: int | None = None


def probe_machine() -> Machine:
    """Reads /proc and the container's limits, and asks nvidia-smi."""
    return Machine(
        cores=_cores(),
        free_bytes=_free_bytes(),
        has_fast_bf16=_has_fast_bf16(),
        has_native_kernels=library_path().exists(),
        has_avx2=_has_avx2(),
        free_gpu_bytes=_free_gpu_bytes(),
    )


def _read_words(path: str) -> list[str]:
    """The words of a small system file; none where the system has no such file."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return []


def _cores() -> int:
    """Cores this process may use: its affinity, cut by a container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _read_words("/sys/fs/cgroup/cpu.max")
    if len(quota) == 2 and quota[0].isdigit():
        cores = min(cores or 1, -(-int(quota[0]) // int(quota[1])))
    return max(1, cores or 1)


def _free_bytes() -> int:
    """Memory that can be taken without swapping, cut by a container's limit."""
    words = _read_words("/proc/meminfo")
    if "MemAvailable:" in words:
        free = int(words[words.index("MemAvailable:") + 1]) * 1024
    else:
        free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    limit = _read_words("/sys/fs/cgroup/memory.max")
    used = _read_words("/sys/fs/cgroup/memory.current")
    if limit and used and limit[0].isdigit():
        free = min(free, max(0, int(limit[0]) - int(used[0])))
    return free


def _has_fast_bf16() -> bool:
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(_read_words("/proc/cpuinfo"))


def _has_avx2() -> bool:
    """What the fast native kernels need at least; elsewhere their plain C++ form runs."""
    return {"avx2", "fma", "f16c"} <= set(_read_words("/proc/cpuinfo"))


def _free_gpu_bytes() -> int | None:
    """Free memory of the first GPU that torch will see."""
    command = shutil.which("nvidia-smi")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    if command is None or not visible or version("torch").endswith("+cpu"):
        return None
    query = [command, f"--id={visible}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(  # noqa: S603 - the command is nvidia-smi's own path
            query, capture_output=True, check=True, text=True, timeout=PROBE_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    text = answer.stdout.strip()
    return int(text) * MEBIBYTE if text.isdigit() else None
