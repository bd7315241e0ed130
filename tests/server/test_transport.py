"""What arrives on the socket: malformed, oversized, ambiguous, slow. Every case must end."""

import re
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from server.connection import ConnectionLimits
from server.settings import Settings
from tests.fakes import FakeEngine
from tests.server.live import running
from tests.server.probe import probe_app
from tests.server.wire import connect, exchange, get, is_closed, post, read_reply

pytestmark = pytest.mark.slow  # deadlines are waited for

SHORT = ConnectionLimits(
    head=0.6, body=0.8, body_pace=1000, linger=0.5, send=0.8, max_connections=20
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    settings = Settings(port=0, max_body_bytes=100_000)
    with running(probe_app(FakeEngine(), settings), settings, SHORT) as port:
        yield port


@pytest.fixture(autouse=True)
def still_serves(port: int) -> Iterator[None]:
    """The canary after every case."""
    yield
    assert exchange(port, get("/health/ready")).json == {"status": "ready"}


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: local"],
    ids=["silence", "half a request line", "half a header"],
)
def test_a_head_that_never_comes_is_cut_off(port: int, sent: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(sent)
        assert is_closed(connection, within=3)


def test_a_second_head_that_never_ends_is_cut_off(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_reply(connection).status == 200
        connection.sendall(b"GET /hea")
        assert is_closed(connection, within=3)


def test_a_kept_alive_connection_outlives_the_head_deadline(port: int) -> None:
    with connect(port) as connection:
        for _ in range(2):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_reply(connection).status == 200
            time.sleep(1.2)


def test_a_dripping_body_is_cut_off_by_its_total_deadline(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(post("/v1/echo", b"", "X-Drip: yes").replace(b"h: 0", b"h: 1000"))
        deadline = time.monotonic() + 4
        with pytest.raises(ConnectionError):
            while time.monotonic() < deadline:
                connection.sendall(b" ")
                time.sleep(0.05)


def test_a_long_body_that_keeps_coming_may_take_its_time(port: int) -> None:
    body = b'{"text": "' + b"x" * 20_000 + b'"}'
    request = post("/v1/echo", body)
    with connect(port) as connection:
        for start in range(0, len(request), 1000):
            connection.sendall(request[start : start + 1000])
            time.sleep(0.1)
        assert read_reply(connection).status == 200


def test_a_reader_that_takes_nothing_is_cut_off(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(get("/v1/flood"))
        time.sleep(3)
        assert is_closed(connection, within=5)


def test_too_many_idle_connections_cost_the_oldest_and_not_the_newest(port: int) -> None:
    idle = [connect(port) for _ in range(SHORT.max_connections)]
    assert exchange(port, get("/health")).status == 200
    assert is_closed(idle[0], within=0.4)
    for connection in idle:
        connection.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Big: " + b"x" * 1_000_000,
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 50_000 + b"\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
    ids=["one huge header", "50,000 headers", "101 headers", "64 KiB in one piece"],
)
def test_too_much_head_is_refused(port: int, head: bytes) -> None:
    with connect(port) as connection:
        try:
            connection.sendall(head)
            assert read_reply(connection).code == "headers_too_large"
        except ConnectionError:  # cut off before it had sent everything
            return
        assert is_closed(connection, within=1)


def test_a_long_target_is_refused(port: int) -> None:
    reply = exchange(port, get("/" + "x" * 9000))
    assert (reply.status, reply.code) == (414, "uri_too_long")


@pytest.mark.parametrize("value", ["abc", "-5", "+5", "0x10", "5, 6", "5\r\nContent-Length: 6"])
def test_a_content_length_that_is_no_number_is_refused(port: int, value: str) -> None:
    request = post("/v1/echo", b"").replace(b"Length: 0", f"Length: {value}".encode())
    with connect(port) as connection:
        connection.sendall(request + b"hello")
        reply = read_reply(connection)
        assert (reply.status, reply.code) == (400, "invalid_value")
        assert is_closed(connection, within=1)


def test_two_framings_at_once_are_refused(port: int) -> None:
    body = b"2\r\n{}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = post("/v1/echo", b"", "Transfer-Encoding: chunked").replace(b"close", b"keep-alive")
    with connect(port) as connection:
        connection.sendall(request + body)
        reply = read_reply(connection)
        assert reply.status == 400
        assert "Transfer-Encoding" in reply.json["error"]["message"]
        assert is_closed(connection, within=1)


CHUNKED = post("/v1/echo", b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    "chunks",
    [
        b"FFFFFFFFFFFFFFFF\r\nabc",
        b"F" * 30 + b"\r\nabc",
        b"2;" + b"x" * 1_000_000 + b"\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["huge size", "endless size", "huge extension", "no line end", "negative size"],
)
def test_a_malformed_chunk_ends_the_connection(port: int, chunks: bytes) -> None:
    with connect(port) as connection:
        try:
            connection.sendall(CHUNKED + chunks)
        except ConnectionError:
            return
        assert is_closed(connection, within=3)


def test_chunks_in_order_are_a_body(port: int) -> None:
    reply = exchange(port, CHUNKED + b'4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n')
    assert reply.json == {"a": 1}


def test_an_endless_chunked_body_is_refused_when_it_passes_the_limit(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(CHUNKED + b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        connection.sendall((b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 6)
        reply = read_reply(connection)
        assert (reply.status, reply.code) == (413, "request_too_large")
        assert is_closed(connection, within=3)


def test_a_declared_length_over_the_limit_is_refused_unread(port: int) -> None:
    request = post("/v1/echo", b"").replace(b"Length: 0", b"Length: 150000000")
    with connect(port) as connection:
        connection.sendall(request)
        assert read_reply(connection).status == 413
        assert is_closed(connection, within=3)


def test_a_refused_body_does_not_reset_the_reply(port: int) -> None:
    body = b'{"a":"' + b"x" * 300_000 + b'"}'
    with connect(port) as connection:
        connection.sendall(post("/v1/echo", body).replace(b"close", b"keep-alive"))
        assert read_reply(connection).status == 413
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_reply(connection).status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, identity"])
def test_an_encoded_body_is_refused_unread(port: int, coding: str) -> None:
    reply = exchange(port, post("/v1/echo", b"\x1f\x8b", f"Content-Encoding: {coding}"))
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["GET", "TRACE", "CONNECT", "FOO", "DELETE", "OPTIONS"])
def test_a_wrong_method_is_told_the_right_one(port: int, method: str) -> None:
    reply = exchange(port, get("/v1/echo", method=method), method="GET")
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "POST"


def test_head_is_get_without_the_body(port: int) -> None:
    reply = exchange(port, get("/health/live", method="HEAD"), method="HEAD")
    assert reply.status == 200
    assert reply.headers["content-length"] == "15"


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    head = "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: n{}\r\n\r\n"
    requests = "".join(head.format(number) for number in range(100)).encode()
    with connect(port) as connection:
        connection.sendall(requests + get("/health"))
        received = b""
        while data := connection.recv(65536):
            received += data
    assert re.findall(rb"x-request-id: n(\d+)", received) == [b"%d" % n for n in range(100)]


def test_websockets_are_refused(port: int) -> None:
    reply = exchange(port, get("/v1/echo", "Connection: Upgrade", "Upgrade: websocket"))
    assert (reply.status, reply.code) == (400, "invalid_value")


def test_a_half_closed_connection_counts_as_gone(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"GET /v1/flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert is_closed(connection, within=3)


@pytest.mark.parametrize("sent", [b"", b"GET /heal", post("/v1/echo", b"x" * 500)[:-200]])
def test_resets_leave_nothing_in_the_log(
    port: int, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connect(port)
    connection.sendall(sent)
    linger_zero = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
    connection.close()
    time.sleep(0.2)
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


@pytest.mark.parametrize(
    "path",
    ["/health/%2e%2e/v1/whoami", "//health", "/health;x", "/HEALTH", "/health/", "/%00", "/%ff"],
)
def test_path_tricks_reach_nothing(port: int, path: str) -> None:
    assert exchange(port, get(path)).code == "not_found"
