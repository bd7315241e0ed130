"""A process that has loaded what many others need, and is forked to make each of them.

They have it at once, and share its memory.
"""

import gc
import logging
import os
import signal
import socket
from collections.abc import Callable

logger = logging.getLogger(__name__)

Serve = Callable[[socket.socket], None]


def make_processes(parent: socket.socket, serve: Serve) -> None:
    """One for every socket that comes over `parent`, until that ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # leaves no zombies
    gc.collect()
    gc.freeze()  # or its next collection would touch, and so copy, all memory shared with a child
    while (connection := _receive(parent)) is not None:
        with connection:
            _make_process(parent, connection, serve)


def _receive(parent: socket.socket) -> socket.socket | None:
    """None when the parent has gone."""
    _, descriptors, _, _ = socket.recv_fds(parent, 1, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else None


def _make_process(parent: socket.socket, connection: socket.socket, serve: Serve) -> None:
    try:
        if os.fork():
            return
    except OSError as error:
        logger.error("no process could be made: %s", error.strerror)
        return
    status = 1
    try:
        parent.close()
        serve(connection)
        status = 0
    except ConnectionError:  # nobody waits for the answer any longer
        status = 0
    except Exception:
        logger.exception("a process failed")
    finally:
        os._exit(status)  # not through this process's own way out
