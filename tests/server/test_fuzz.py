"""Whatever a client sends, it gets a documented reply below 500 or a closed connection."""

import string
from collections.abc import Iterator
from http.client import BadStatusLine

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.settings import Settings
from tests.fakes import FakeEngine
from tests.server.live import running
from tests.server.probe import probe_app
from tests.server.wire import Reply, connect, exchange, get, post, read_reply

LINE = st.binary(max_size=60).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b""))
NAMES = st.sampled_from(
    [
        b"Authorization",
        b"Connection",
        b"Content-Encoding",
        b"Content-Length",
        b"Content-Type",
        b"Expect",
        b"Host",
        b"Origin",
        b"Transfer-Encoding",
        b"Upgrade",
        b"X-Request-Id",
    ]
)
PATHS = st.sampled_from(["/health", "/v1/echo", "/v1/whole", "/metrics", "/nothing", "*"])
few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    frozen = Settings(port=0, max_body_bytes=2000)
    with running(probe_app(FakeEngine(), frozen), frozen) as port:
        yield port


def check(reply: Reply) -> None:
    assert reply.status < 500
    if reply.status >= 400:
        assert reply.code
        assert "Traceback" not in reply.body.decode()


@few
@given(st.binary(max_size=300))
def test_random_bytes_instead_of_a_request(port: int, sent: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(sent + b"\r\n\r\n\r\n\r\n")
        try:
            check(read_reply(connection))
        except (ConnectionError, BadStatusLine):
            pass


@few
@given(
    st.sampled_from(["GET", "POST", "PUT", "CONNECT", "OPTIONS"]),
    PATHS,
    st.lists(st.tuples(NAMES, LINE), max_size=4),
)
def test_random_values_in_headers_that_mean_something(
    port: int, method: str, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    head = get(path, method=method).removesuffix(b"\r\n")
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    with connect(port, timeout=1) as connection:
        connection.sendall(head + lines + b"\r\n")
        try:
            check(read_reply(connection))
        except TimeoutError:  # the headers announce a body, and the server waits for it
            assert b"Content-Length" in lines or b"Transfer-Encoding" in lines
        except (ConnectionError, BadStatusLine):
            pass


@few
@given(
    st.binary(max_size=300)
    | st.text(alphabet='{}[]":,\\/u0eE+-.dD8 ' + string.hexdigits, max_size=300).map(str.encode)
    | st.integers(0, 3000).map(lambda size: b'{"a":"' + b"x" * size + b'"}')
)
def test_random_bodies(port: int, body: bytes) -> None:
    reply = exchange(port, post("/v1/echo", body))
    check(reply)
    assert reply.status in (200, 400, 413)


@few
@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60))
def test_random_content_types_never_pass_for_json(port: int, content_type: str) -> None:
    reply = exchange(port, post("/v1/echo", b"{}", content_type=content_type))
    check(reply)
    assert reply.status in (400, 415)
