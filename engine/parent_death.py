"""A process that does not outlive the one that started it."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Leave no orphan behind.

    The kernel kills this process when its parent ends (more exactly, the thread that started it),
    however busy it is. Signals meant for the whole service (Ctrl-C, SIGTERM to the group) are left
    to the process that drains.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
