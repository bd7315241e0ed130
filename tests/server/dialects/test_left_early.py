"""Counts and costs of replies that nobody waited for to the end are exact, in every dialect."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI

from server.events import Usage
from server.services import Services
from tests.fakes import FakeEngine
from tests.server.dialects.anthropic_dialect import Messages
from tests.server.dialects.hosted_dialects import RunPod
from tests.server.dialects.openai_dialects import Chat, Completions, Responses
from tests.server.dialects.table import dialects
from tests.server.dialects.told import Asked, Dialect
from tests.server.live import running
from tests.server.openai.support import ALIAS, Bench, fake_engine, says
from tests.server.wire import connect, exchange, get, post

WAIT_SECONDS = 30.0
NUM_TOKENS = 5
DIALECTS = dialects(ALIAS)
GENERATION = re.compile(rb'"id":"((?:chatcmpl|cmpl|gen|resp|msg)[-_][^"]+)"')


@dataclass(frozen=True, slots=True)
class Counting:
    """A server whose model writes five tokens and then nothing more."""

    port: int
    services: Services
    engine: FakeEngine

    @property
    def used(self) -> Usage:
        return self.services.usage.total("anonymous")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    directory = tmp_path_factory.mktemp("left_early")
    bench = Bench.in_directory(directory)
    engine = fake_engine(says("~" * 50, pause_at=NUM_TOKENS))
    app: FastAPI = bench.app(engine, storage=str(directory / "storage.sqlite3"))
    services: Services = app.state.services
    with running(app, services.settings) as port:
        yield Counting(port, services, engine)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ask_and_leave(server: Counting, path: str, body: dict[str, Any], *, reads: bool) -> bytes:
    """Hang up when the model has written all that it will; what had come until then."""
    paused, received = len(server.engine.paused), b""
    with connect(server.port) as connection:
        connection.sendall(post(path, json.dumps(body).encode()))
        while reads and received.count(b"~") < NUM_TOKENS:
            received += connection.recv(65536)
        wait_until(lambda: len(server.engine.paused) > paused)
    return received


def expect_counted(server: Counting, before: Usage) -> None:
    prompt_tokens = len(server.engine.requests[-1].prompt_ids)
    wait_until(lambda: server.used != before)
    assert server.used == before + Usage(prompt_tokens, NUM_TOKENS)
    key = exchange(server.port, get("/api/v1/key")).json["data"]
    dollars = 0.017 * server.used.prompt_tokens + 0.112 * server.used.completion_tokens
    assert key["usage"] == pytest.approx(dollars / 1e6)
    text = exchange(server.port, get("/metrics")).body.decode()
    assert f"granite_prompt_tokens_total {float(server.used.prompt_tokens)}" in text
    assert f"granite_generation_tokens_total {float(server.used.completion_tokens)}" in text


@pytest.mark.parametrize(
    "dialect",
    [each for each in DIALECTS if not isinstance(each, RunPod)],
    ids=lambda dialect: dialect.name,
)
def test_a_stream_that_was_left_is_counted_exactly(server: Counting, dialect: Dialect) -> None:
    before = server.used
    received = ask_and_leave(server, *dialect.streaming_request(Asked(text="Hello")), reads=True)
    expect_counted(server, before)
    if not isinstance(dialect, Chat | Completions | Responses | Messages):
        return
    found = GENERATION.search(received)
    assert found
    lookup = exchange(server.port, get(f"/api/v1/generation?id={found[1].decode()}"))
    stats = lookup.json["data"]
    assert stats["tokens_completion"] == NUM_TOKENS
    assert stats["tokens_prompt"] == len(server.engine.requests[-1].prompt_ids)
    assert (stats["cancelled"], stats["finish_reason"], stats["streamed"]) == (True, None, True)
    dollars = 0.017 * stats["tokens_prompt"] + 0.112 * NUM_TOKENS
    assert stats["total_cost"] == pytest.approx(dollars / 1e6)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_whole_reply_that_was_left_is_counted_exactly(server: Counting, dialect: Dialect) -> None:
    path, body = dialect.streaming_request(Asked(text="Hello"))
    if isinstance(dialect, RunPod):
        path, body = path + "sync", {"input": body["input"] | {"stream": False}}
    else:
        body = body | {"stream": False}
        body.pop("stream_options", None)
    before = server.used
    ask_and_leave(server, path, body, reads=False)
    expect_counted(server, before)


def test_a_job_that_was_cancelled_is_counted_exactly(server: Counting) -> None:
    (runpod,) = (each for each in DIALECTS if isinstance(each, RunPod))
    path, body = runpod.streaming_request(Asked(text="Hello"))
    before, paused = server.used, len(server.engine.paused)
    job = exchange(server.port, post(path, json.dumps(body).encode())).json
    wait_until(lambda: len(server.engine.paused) > paused)
    place = path.removesuffix("/run")
    cancelled = exchange(server.port, post(f"{place}/cancel/{job['id']}", b"")).json
    assert cancelled == {"id": job["id"], "status": "CANCELLED"}
    expect_counted(server, before)


def test_a_background_response_that_was_cancelled_says_what_it_used(server: Counting) -> None:
    body = {"model": ALIAS, "input": "Hello", "background": True}
    before, paused = server.used, len(server.engine.paused)
    begun = exchange(server.port, post("/v1/responses", json.dumps(body).encode())).json
    wait_until(lambda: len(server.engine.paused) > paused)
    cancel = f"/v1/responses/{begun['id']}/cancel"
    response = exchange(server.port, post(cancel, b"")).json
    assert response["status"] == "cancelled"
    assert response["usage"]["output_tokens"] == NUM_TOKENS
    assert response["output"][0]["content"][0]["text"] == "~" * NUM_TOKENS
    expect_counted(server, before)


def test_a_batch_of_texts_and_a_batch_of_lines_are_counted_as_their_sum(server: Counting) -> None:
    """Whole ones: what is left of a batch goes on without anybody."""
    server.engine.script = says("~~")
    before = server.used
    run = f"/client/v4/accounts/account/ai/run/@cf/{ALIAS}"
    items = {"requests": [{"prompt": "Once"}, {"prompt": "Twice"}]}
    usage = exchange(server.port, post(run, json.dumps(items).encode())).json["result"]["usage"]
    added = Usage(usage["prompt_tokens"], usage["completion_tokens"])
    assert server.used == before + added
    assert added.completion_tokens == 6
