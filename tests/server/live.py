"""A real server on a free port of this machine, in a thread of the test's process."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastapi import FastAPI

from server.connection import ConnectionLimits
from server.run import DrainingServer, bind_socket
from server.settings import Settings


@dataclass(frozen=True)
class LiveServer:
    port: int
    server: DrainingServer
    thread: threading.Thread

    def wait_for_end(self, seconds: float = 20.0) -> int:
        """The exit code that the process would have; an error if the server goes on."""
        self.thread.join(seconds)
        if self.thread.is_alive():
            raise RuntimeError("the server did not stop")
        return self.server.exit_code


@contextlib.contextmanager
def live_server(
    app: FastAPI, settings: Settings, limits: ConnectionLimits | None = None
) -> Iterator[LiveServer]:
    """Serve `app` until the block ends, or until the server ends by itself."""
    limits = limits or ConnectionLimits(send=settings.send_timeout)
    listener = bind_socket(settings)
    server = DrainingServer(app, settings, limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    live = LiveServer(listener.getsockname()[1], server, thread)
    thread.start()
    try:
        yield live
    finally:
        server.should_exit = True
        live.wait_for_end()


@contextlib.contextmanager
def running(
    app: FastAPI, settings: Settings, limits: ConnectionLimits | None = None
) -> Iterator[int]:
    """Like `live_server`, for tests that only talk to it; yields the port of 127.0.0.1."""
    with live_server(app, settings, limits) as live:
        yield live.port


def eventually(is_so: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it is so in the end; waits no longer than it has to."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
