"""A client that leaves: nothing goes on working for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from server.disconnect import while_connected
from server.settings import Settings
from tests.fakes import FakeEngine, Script
from tests.server.live import running
from tests.server.probe import probe_app
from tests.server.wire import connect, exchange, post

ENDLESS = Script(token_ids=tuple(range(1000)), delay=0.05)


def receiver(*messages: Message, then: Awaitable[object]) -> Receive:
    queue = list(messages)

    async def receive() -> Message:
        if not queue:
            await then
        return queue.pop(0) if queue else {"type": "http.disconnect"}

    return receive


async def test_work_is_done_while_the_client_stays() -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 7

    never = asyncio.Event()
    assert await while_connected(receiver(then=never.wait()), work()) == 7


async def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await while_connected(receiver(then=asyncio.sleep(5)), work())


async def test_work_has_ended_when_the_disconnect_is_raised() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    leftover = {"type": "http.request", "body": b""}
    with pytest.raises(ClientDisconnect):
        await while_connected(receiver(leftover, then=asyncio.sleep(0.01)), work())
    assert ended == [True]


async def test_a_cancelled_handler_cancels_its_work() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.append(True)

    handler = asyncio.ensure_future(while_connected(receiver(then=asyncio.sleep(5)), work()))
    await asyncio.sleep(0.02)
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    assert ended == [True]


@pytest.mark.parametrize("path", ["/v1/whole", "/v1/stream"])
def test_a_closed_connection_frees_the_engine_whether_streaming_or_not(path: str) -> None:
    engine = FakeEngine(ENDLESS)
    settings = Settings(port=0)
    with running(probe_app(engine, settings), settings) as port:
        with connect(port) as connection:
            connection.sendall(post(path, b"{}"))
            wait_until(lambda: bool(engine.active))
        wait_until(lambda: not engine.active)
        assert len(engine.cancelled) == 1


def test_a_client_that_leaves_while_it_sends_its_body_never_reaches_the_engine() -> None:
    engine = FakeEngine(ENDLESS)
    settings = Settings(port=0)
    with running(probe_app(engine, settings), settings) as port:
        with connect(port) as connection:
            connection.sendall(post("/v1/whole", b"{" + b" " * 1000)[:-500])
        assert exchange(port, post("/v1/echo", b"{}")).status == 200
        assert engine.requests == []


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("it did not happen in time")
        time.sleep(0.01)
