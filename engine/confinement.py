"""What holds a process that runs what strangers wrote: it can harm nobody but itself."""

import os
import resource
from pathlib import Path

from engine.parent_death import die_with_parent

NICENESS = 10
"""Replies that are being generated go first."""
FIRST_TO_GO = "1000"
"""Where the machine runs out of memory, the kernel ends such a process before all others."""


def confine(memory_bytes: int) -> None:
    """Limit memory to so much more than there is now, give way to others, and fail in silence.

    What libraries write of a failure may quote what they were given.
    """
    die_with_parent()
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statistics = Path("/proc/self/statm")
    if statistics.exists():
        size = int(statistics.read_text().split()[0]) * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
