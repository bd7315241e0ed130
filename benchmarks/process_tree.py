"""What a server's processes hold and use: its API process, which we started, and its children.

Read from /proc, so Linux only.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

KIBIBYTE = 1024
NANOSECOND = 1e-9
SAMPLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of some processes together.

    `peak` is the sum of the largest `resident` that each ever had, so it is never too small.
    `private` is the part of `resident` that no file backs and nobody shares: heaps and stacks. The
    rest is pages of program libraries and mapped files, which the system can drop.
    """

    resident: int
    private: int
    peak: int

    @staticmethod
    def of(pids: Sequence[int]) -> "Memory":
        statuses = [_status(pid) for pid in pids]
        return Memory(
            resident=sum(status.get("VmRSS", 0) for status in statuses),
            private=sum(status.get("RssAnon", 0) for status in statuses),
            peak=sum(status.get("VmHWM", 0) for status in statuses),
        )


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds since the start: running, and ready to run while the cores did something else."""

    running: float
    waiting: float

    @staticmethod
    def of(pids: Sequence[int]) -> "CpuTime":
        """Of all threads of these processes."""
        files = [path for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        words = [_read(path).split() for path in files]
        return CpuTime(
            running=sum(int(fields[0]) for fields in words if fields) * NANOSECOND,
            waiting=sum(int(fields[1]) for fields in words if fields) * NANOSECOND,
        )

    def since(self, earlier: "CpuTime") -> "CpuTime":
        return CpuTime(self.running - earlier.running, self.waiting - earlier.waiting)


def children(pid: int) -> list[int]:
    """The processes below this one; none if it has ended."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


class MemoryWatch:
    """Samples the private memory of a process and its children, whose peak no system call tells."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak_private = 0

    def read(self) -> Memory:
        memory = Memory.of([self._pid, *children(self._pid)])
        self.peak_private = max(self.peak_private, memory.private)
        return memory

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Sample in a thread while the block runs."""
        done = threading.Event()

        def sample() -> None:
            while not done.wait(SAMPLE_SECONDS):
                self.read()

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _status(pid: int) -> dict[str, int]:
    """The sizes in a process' status, in bytes."""
    pairs = (line.split() for line in _read(Path(f"/proc/{pid}/status")).splitlines())
    return {
        words[0].removesuffix(":"): int(words[1]) * KIBIBYTE
        for words in pairs
        if len(words) == 3 and words[2] == "kB"
    }


def _read(path: Path) -> str:
    """Empty for a process or thread that has ended."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
