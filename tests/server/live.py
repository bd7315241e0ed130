"""A real server on a free port of this machine, in a thread of the test's process."""

import contextlib
import threading
from collections.abc import Iterator

from fastapi import FastAPI

from server.connection import ConnectionLimits
from server.run import DrainingServer, bind_socket
from server.settings import Settings


@contextlib.contextmanager
def running(
    app: FastAPI, settings: Settings, limits: ConnectionLimits | None = None
) -> Iterator[int]:
    """Serve `app` until the block ends; yields the port of 127.0.0.1."""
    limits = limits or ConnectionLimits(send=settings.send_timeout)
    listener = bind_socket(settings)
    port: int = listener.getsockname()[1]
    server = DrainingServer(app, settings, limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(20)
        if thread.is_alive():
            raise RuntimeError("the server did not stop")
