"""The other side of a nursery: starts it when it is needed, and has it make processes."""

import socket
import threading
from collections.abc import Callable, Sequence
from subprocess import DEVNULL, Popen

from engine.own_python import single_threaded

Greet = Callable[[socket.socket], None]


def no_greeting(connection: socket.socket) -> None:
    """The nursery knows all that it needs."""


class NurseryProcess:
    """Safe to use from several threads. The one that uses it first must live as long as it."""

    def __init__(self, command: Sequence[str], greet: Greet = no_greeting) -> None:
        """Started with the number of its socket's file descriptor as the last argument.

        `greet` is the first to talk to it, whenever it has been started.
        """
        self._command = command
        self._greet = greet
        self._lock = threading.Lock()
        self._process: Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def new_connection(self) -> socket.socket:
        """To a new process. If none can be made, the connection ends at once.

        Raises:
            OSError: the nursery cannot be started or greeted.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                self._hand_over(theirs)
        except OSError:
            ours.close()
            raise
        return ours

    def close(self) -> None:
        with self._lock:
            self._end()

    def _hand_over(self, theirs: socket.socket) -> None:
        if self._connection is not None:
            try:
                socket.send_fds(self._connection, [b"+"], [theirs.fileno()])
                return
            except ConnectionError:  # it has died
                self._end()
        socket.send_fds(self._start(), [b"+"], [theirs.fileno()])

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
        self._greet(ours)
        return ours

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
