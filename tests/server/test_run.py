"""How a server starts and ends: the port, the drain after a signal, the exit code."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.interface import EngineState
from kernels.errors import GraniteError
from server.errors import StartupError
from server.run import bind_socket
from server.settings import Settings
from tests.fakes import FakeEngine, Script
from tests.server.live import LiveServer, live_server
from tests.server.probe import probe_app
from tests.server.wire import connect, exchange, get, is_closed, post, read_reply

pytestmark = pytest.mark.slow  # whole lives of processes

ENDLESS = Script(token_ids=tuple(range(1000)), delay=0.05)


@contextmanager
def serving(engine: FakeEngine, *, accept: float, drain: float) -> Iterator[LiveServer]:
    settings = Settings(port=0, drain_accept=accept, drain_timeout=drain)
    with live_server(probe_app(engine, settings), settings) as live:
        wait_until_answering(live.port)
        yield live


def wait_until_answering(port: int) -> None:
    assert exchange(port, get("/health/live")).status == 200


def wait_until_active(engine: FakeEngine) -> None:
    deadline = time.monotonic() + 5
    while not engine.active and time.monotonic() < deadline:
        time.sleep(0.01)
    assert engine.active


def test_after_sigterm_new_work_is_refused_while_running_work_finishes() -> None:
    engine = FakeEngine(Script(token_ids=tuple(range(30)), delay=0.05))
    with serving(engine, accept=1, drain=20) as live, connect(live.port) as stream:
        stream.sendall(post("/v1/stream", b"{}"))
        wait_until_active(engine)
        live.server.handle_exit(signal.SIGTERM, None)
        assert exchange(live.port, get("/health/live")).status == 200
        ready = exchange(live.port, get("/health/ready"))
        assert (ready.status, ready.json) == (503, {"status": "draining"})
        kept_alive = post("/v1/whole", b"{}").replace(b"close", b"keep-alive")
        refused = exchange(live.port, kept_alive)
        assert (refused.status, refused.code) == (503, "shutting_down")
        assert refused.headers["retry-after"] == "5"
        assert refused.headers["connection"] == "close"
        assert read_reply(stream).body.endswith(b'{"id":29}\n\ndata: [DONE]\n\n')
        assert live.wait_for_end() == 0
    assert engine.state is EngineState.STOPPED


def test_when_the_time_to_accept_is_over_the_port_is_closed_but_streams_go_on() -> None:
    engine = FakeEngine(Script(token_ids=tuple(range(30)), delay=0.05))
    with serving(engine, accept=0, drain=20) as live, connect(live.port) as stream:
        stream.sendall(post("/v1/stream", b"{}"))
        wait_until_active(engine)
        live.server.handle_exit(signal.SIGTERM, None)
        time.sleep(0.5)
        with pytest.raises(ConnectionError):
            connect(live.port)
        assert read_reply(stream).body.endswith(b"data: [DONE]\n\n")
        assert live.wait_for_end() == 0


def test_at_the_deadline_a_stream_gets_an_error_event_and_no_done() -> None:
    engine = FakeEngine(ENDLESS)
    with serving(engine, accept=0, drain=0.5) as live, connect(live.port) as stream:
        stream.sendall(post("/v1/stream", b"{}"))
        wait_until_active(engine)
        live.server.handle_exit(signal.SIGTERM, None)
        body = read_reply(stream).body
        assert b"[DONE]" not in body
        last = json.loads(body.split(b"data: ")[-1])
        assert last["error"]["code"] == "engine_unavailable"
        assert live.wait_for_end() == 0


def test_at_the_deadline_a_whole_reply_becomes_a_503() -> None:
    engine = FakeEngine(ENDLESS)
    with serving(engine, accept=0, drain=0.3) as live, connect(live.port) as waiting:
        waiting.sendall(post("/v1/whole", b"{}"))
        wait_until_active(engine)
        live.server.handle_exit(signal.SIGTERM, None)
        reply = read_reply(waiting)
        assert (reply.status, reply.code) == (503, "engine_unavailable")
        assert live.wait_for_end() == 0


def test_the_deadline_holds_with_a_reader_that_never_reads() -> None:
    with serving(FakeEngine(), accept=0, drain=0.5) as live, connect(live.port) as stuck:
        stuck.sendall(get("/v1/flood"))
        time.sleep(1)
        live.server.handle_exit(signal.SIGTERM, None)
        assert live.wait_for_end(10) == 0


def test_idle_connections_do_not_delay_the_end() -> None:
    with serving(FakeEngine(), accept=0, drain=60) as live, connect(live.port) as idle:
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_reply(idle).status == 200
        live.server.handle_exit(signal.SIGTERM, None)
        assert live.wait_for_end(10) == 0
        assert is_closed(idle, within=1)


@pytest.mark.parametrize(
    ("signal_number", "load_seconds"), [(signal.SIGINT, None), (signal.SIGTERM, 60)]
)
def test_nobody_is_waited_for_after_ctrl_c_or_while_loading(
    signal_number: int, load_seconds: float | None
) -> None:
    engine = FakeEngine(load_seconds=load_seconds)
    with serving(engine, accept=60, drain=60) as live:
        live.server.handle_exit(signal_number, None)
        assert live.wait_for_end(10) == 0


def test_a_model_that_failed_for_good_ends_the_process_with_an_error() -> None:
    engine = FakeEngine()
    with serving(engine, accept=60, drain=60) as live:
        engine.state = EngineState.FAILED
        assert live.wait_for_end(10) == 1


def test_a_model_that_cannot_be_started_ends_the_process_with_an_error() -> None:
    class Unstartable(FakeEngine):
        async def start(self) -> None:
            raise GraniteError("no such device")

    settings = Settings(port=0, drain_accept=60)
    app = probe_app(Unstartable(load_seconds=1), settings)
    with live_server(app, settings) as live:
        assert live.wait_for_end(10) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_taken_port_is_known_before_anything_else_happens(host: str) -> None:
    with bind_socket(Settings(host=host, port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartupError, match=rf"cannot listen on .*:{port}: Address already"):
            bind_socket(Settings(host=host, port=port))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1", "256.0.0.1"])
def test_an_address_that_is_not_ours_is_one_line(host: str) -> None:
    with pytest.raises(StartupError, match=f"cannot listen on {re.escape(host)}") as caught:
        bind_socket(Settings(host=host, port=0))
    assert "\n" not in str(caught.value)


@contextmanager
def program(**settings: object) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "tests.server.serve_probe", json.dumps(settings)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline() or 0)
        finally:
            process.kill()


def test_sigterm_ends_an_idle_program_with_exit_code_0() -> None:
    with program(port=0, drain_accept=0) as (process, port):
        wait_until_answering(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_second_signal_ends_the_program_now() -> None:
    with program(port=0, drain_accept=60, drain_timeout=60) as (process, port):
        with connect(port) as stream:
            stream.sendall(post("/v1/stream", b"{}"))
            assert stream.recv(100)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 1


def test_a_taken_port_ends_the_program_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with program(port=taken.getsockname()[1]) as (process, _):
            assert process.wait(20) == 1
            assert process.stderr is not None
            assert len(process.stderr.read().splitlines()) == 1
