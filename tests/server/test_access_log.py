"""What the outermost layer adds to every reply, and how it ends those that break."""

from collections.abc import Iterator
from http.client import IncompleteRead

import pytest

from server.settings import Settings
from tests.fakes import FakeEngine
from tests.server.live import running
from tests.server.probe import probe_app
from tests.server.wire import exchange, get


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    settings = Settings(port=0)
    with running(probe_app(FakeEngine(), settings), settings) as port:
        yield port


@pytest.mark.parametrize("path", ["/health", "/nothing", "/v1/boom", "/v1/echo"])
def test_every_reply_has_a_request_id_of_its_own(port: int, path: str) -> None:
    ids = {exchange(port, get(path)).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_a_well_formed_request_id_is_kept(port: int) -> None:
    request_id = "aZ09._-" + "x" * 121
    reply = exchange(port, get("/health", f"X-Request-Id: {request_id}"))
    assert reply.headers["x-request-id"] == request_id


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, "a/b", "ä", "a\tb", "<script>"])
def test_any_other_request_id_is_replaced(port: int, request_id: str) -> None:
    reply = exchange(port, get("/health", f"X-Request-Id: {request_id}"))
    assert reply.headers["x-request-id"].startswith("req_")


def test_a_stream_that_breaks_is_cut_and_not_ended(port: int) -> None:
    with pytest.raises(IncompleteRead):
        exchange(port, get("/v1/half"))
