"""The worker's side of the nursery: starts it when it is needed, and asks it for new processes."""

import socket
import threading
from collections.abc import Sequence
from subprocess import DEVNULL, Popen

from engine.own_python import own_python, single_threaded


def nursery_command(checkpoint: str, seconds: float) -> tuple[str, ...]:
    return own_python("engine.grammars.nursery", checkpoint, str(seconds))


class NurseryProcess:
    """Safe to use from several threads. The one that uses it first must live as long as it."""

    def __init__(self, command: Sequence[str]) -> None:
        """Started with the number of its socket's file descriptor as the last argument."""
        self._command = command
        self._lock = threading.Lock()
        self._process: Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def new_connection(self) -> socket.socket:
        """To a new process. If none can be had, the connection ends at once.

        Raises:
            OSError: no process can be started.
        """
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            if self._connection is None or not self._sent(self._connection, theirs):
                self._end()
                self._sent(self._start(), theirs)
        return ours

    def close(self) -> None:
        with self._lock:
            self._end()

    def _sent(self, connection: socket.socket, theirs: socket.socket) -> bool:
        """False if the nursery has gone."""
        try:
            socket.send_fds(connection, [b"+"], [theirs.fileno()])
        except ConnectionError:
            return False
        return True

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = [*self._command, str(number)]  # our own interpreter, nothing from outside
            try:
                self._process = Popen(  # noqa: S603
                    command, pass_fds=(number,), stdin=DEVNULL, env=single_threaded()
                )
            except OSError:
                ours.close()
                raise
        self._connection = ours
        return ours

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
