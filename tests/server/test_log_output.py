"""The log: one line each, nothing forged, nothing secret, request ids on everything."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from kernels.errors import GraniteError
from server.log_output import configure_logging
from server.settings import Settings
from tests.fakes import FakeEngine
from tests.server.live import running
from tests.server.probe import probe_app
from tests.server.wire import exchange, get, post


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, configuration = root.handlers, root.level, structlog.get_config()
    stream = io.StringIO()
    configure_logging(Settings(log_level="debug"), stream)
    yield stream
    structlog.configure(**configuration)
    root.handlers, root.level = handlers, level


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.mark.parametrize(
    "text",
    ["\r\n{}", "\x1b[31mred", "\u2028", "\x00", "\x9b", "%s%n", "{}", "x" * 10_000_000, "\ud800"],
)
def test_a_value_stays_one_bounded_line_without_control_characters(
    log: io.StringIO, text: str
) -> None:
    structlog.stdlib.get_logger("test").info(text, value=text)
    logging.getLogger("uvicorn.error").error("foreign %s", text)
    assert log.getvalue().count("\n") == 2
    assert all(len(line) < 4096 for line in log.getvalue().split("\n"))
    assert not any(character in log.getvalue() for character in "\x1b\x00\x9b\u2028\r")


def test_lines_for_people_cannot_be_forged_either(log: io.StringIO) -> None:
    configure_logging(Settings(log_format="console"), log)
    structlog.stdlib.get_logger("test").info("x\r\nERROR fake", value="a\nb\x1b[0m")
    assert log.getvalue().count("\n") == 1
    assert "\r" not in log.getvalue()


def test_an_exception_is_logged_by_place_and_type_and_not_by_what_it_quotes(
    log: io.StringIO,
) -> None:
    try:
        raise ValueError("somebody's prompt")
    except ValueError as error:
        structlog.stdlib.get_logger("test").error("failed", exc_info=error)
        logging.getLogger("asyncio").exception("failed elsewhere")
    for line in lines(log):
        assert line["error"] == "ValueError"
        assert "test_an_exception_is_logged" in line["frames"][-1]
    assert "prompt" not in log.getvalue()


def test_our_own_errors_are_logged_with_their_text(log: io.StringIO) -> None:
    error = GraniteError("tensor lm_head has the wrong shape")
    structlog.stdlib.get_logger("test").error("failed", exc_info=error)
    assert lines(log)[0]["reason"] == "tensor lm_head has the wrong shape"


def test_a_request_is_one_line_with_its_id_and_nothing_of_its_content(log: io.StringIO) -> None:
    settings = Settings(port=0)
    with running(probe_app(FakeEngine(), settings), settings) as port:
        request = post("/v1/echo?q=canary-in-query", b'{"a":"canary-in-body"}')
        secret = b"Authorization: Bearer canary-in-key\r\nX-Request-Id: id-1\r\nHost"
        assert exchange(port, request.replace(b"Host", secret)).status == 200
    (line,) = [line for line in lines(log) if line["event"] == "request"]
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/echo", 200)
    assert line["request_id"] == "id-1"
    assert "canary" not in log.getvalue()


def test_an_unexpected_error_is_logged_once_with_the_id_that_the_client_got(
    log: io.StringIO,
) -> None:
    settings = Settings(port=0)
    with running(probe_app(FakeEngine(), settings), settings) as port:
        reply = exchange(port, get("/v1/boom"))
    assert (reply.status, reply.code) == (500, "server_error")
    (line,) = [line for line in lines(log) if line["level"] == "error"]
    assert line["request_id"] == reply.headers["x-request-id"]
    assert line["error"] == "ValueError"
    assert "canary" not in log.getvalue() + reply.body.decode()


def test_a_log_line_is_not_lost_to_a_forged_path(log: io.StringIO) -> None:
    settings = Settings(port=0)
    with running(probe_app(FakeEngine(), settings), settings) as port:
        exchange(port, get("/x%0d%0aERROR%20fake%1b[31m" + "y" * 5000))
    (line,) = [line for line in lines(log) if line["event"] == "request"]
    assert line["path"].startswith("/x\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}ERROR")
    assert len(line["path"]) <= 200
