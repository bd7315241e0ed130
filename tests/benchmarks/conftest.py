"""A fake server for the tests of the client: in this process, on a free port."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.benchmarks.fake_server import FakeServer


@contextmanager
def _running(server: FakeServer) -> Iterator[FakeServer]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def start_fake() -> Iterator[Callable[[FakeServer], FakeServer]]:
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(_running(server))
