"""Streams over a real socket: frames, silence, errors on the way, and clients that go away."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from engine.errors import DeadlineExceeded, EngineUnavailable, NumericError, QueueFull, WorkerDied
from model_loader.conversation import Conversation
from tests.fakes import FakeEngine, Script
from tests.server.live import eventually
from tests.server.openai.replies import CHAT, COMPLETIONS
from tests.server.openai.support import HELLO, ONCE, Bench, fake_engine, says
from tests.server.wire import connect, post, read_reply

STREAMED = {**HELLO, "stream": True}
KEEP_ALIVE = ": keep-alive"


@pytest.fixture(scope="module")
def port(bench: Bench, engine: FakeEngine) -> Iterator[int]:
    """Comments come every 50 ms of silence."""
    with bench.live(engine, keep_alive_interval=0.05) as port:
        yield port


@pytest.fixture(scope="module")
def remote(port: int) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as remote:
        yield remote


def blocks(text: str) -> list[str]:
    assert text.endswith("\n\n")
    return text.removesuffix("\n\n").split("\n\n")


def payloads(text: str) -> list[Any]:
    data = [block.removeprefix("data: ") for block in blocks(text) if block.startswith("data: ")]
    return [json.loads(block) for block in data if block != "[DONE]"]


def test_the_headers_keep_proxies_from_holding_events_back(remote: httpx2.Client) -> None:
    response = remote.post(CHAT, json=STREAMED)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"


def test_all_chunks_of_a_reply_share_their_identity(remote: httpx2.Client) -> None:
    chunks = payloads(remote.post(CHAT, json={**STREAMED, "n": 2}).text)
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


@pytest.mark.parametrize("num_choices", [1, 3])
def test_each_choice_opens_with_its_role_and_closes_with_a_reason(
    remote: httpx2.Client, num_choices: int
) -> None:
    text = remote.post(CHAT, json={**STREAMED, "n": num_choices}).text
    assert blocks(text)[-1] == "data: [DONE]"
    for index in range(num_choices):
        choices = [
            choice
            for chunk in payloads(text)
            for choice in chunk["choices"]
            if choice["index"] == index
        ]
        assert choices[0]["delta"] == {"role": "assistant", "content": ""}
        assert choices[-1]["delta"] == {}
        assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * (len(choices) - 1)
        assert choices[-1]["finish_reason"] == "stop"


def test_usage_is_the_last_chunk_and_null_before(remote: httpx2.Client) -> None:
    body = {**STREAMED, "stream_options": {"include_usage": True}}
    *others, last = payloads(remote.post(CHAT, json=body).text)
    assert [chunk["usage"] for chunk in others] == [None] * len(others)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 3


def test_usage_is_absent_unless_it_was_asked_for(remote: httpx2.Client) -> None:
    assert all("usage" not in chunk for chunk in payloads(remote.post(CHAT, json=STREAMED).text))


def test_usage_on_every_chunk_grows(remote: httpx2.Client) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    chunks = payloads(remote.post(CHAT, json={**STREAMED, "stream_options": options}).text)
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks] == [1, 1, 2, 3, 3]


def test_line_separators_of_unicode_do_not_cut_a_frame(
    remote: httpx2.Client, engine: FakeEngine
) -> None:
    engine.script = says("a\u2028b\u2029c\x85d\r\ne\x0bf")
    with remote.stream("POST", CHAT, json=STREAMED) as response:
        lines = [line for line in response.iter_lines() if line and line != "data: [DONE]"]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == "a\u2028b\u2029c\x85d\r\ne\x0bf"


@pytest.mark.parametrize(("route", "body"), [(CHAT, HELLO), (COMPLETIONS, ONCE)])
def test_silence_is_filled_with_comments(
    remote: httpx2.Client, engine: FakeEngine, route: str, body: dict[str, Any]
) -> None:
    engine.script = says("Hi", prefill_delay=0.4)
    received = blocks(remote.post(route, json={**body, "stream": True}).text)
    first_data = next(index for index, block in enumerate(received) if block.startswith("data"))
    assert first_data >= 2
    assert set(received[:first_data]) == {KEEP_ALIVE}
    assert received[-1] == "data: [DONE]"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (QueueFull("full", retry_after=3), 503, "overloaded"),
        (EngineUnavailable("loading"), 503, "engine_unavailable"),
    ],
)
@pytest.mark.parametrize("is_stream", [True, False])
def test_a_refusal_of_the_engine_has_its_status_and_a_time_to_retry(
    remote: httpx2.Client,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    code: str,
    is_stream: bool,
) -> None:
    monkeypatch.setattr(engine, "submit_error", error)
    response = remote.post(CHAT, json={**HELLO, "stream": is_stream})
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize("is_stream", [True, False])
def test_an_error_before_the_first_token_has_its_own_status(
    remote: httpx2.Client, engine: FakeEngine, is_stream: bool
) -> None:
    engine.script = Script(token_ids=(), error=DeadlineExceeded("late"))
    response = remote.post(CHAT, json={**HELLO, "stream": is_stream})
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "deadline_exceeded"


def test_an_error_on_the_way_is_the_last_event(remote: httpx2.Client, engine: FakeEngine) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    response = remote.post(CHAT, json={**STREAMED, "stream_options": {"include_usage": True}})
    assert response.status_code == 200
    *chunks, usage, error = payloads(response.text)
    assert "[DONE]" not in response.text
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["", "H", "i"]
    assert usage["usage"]["completion_tokens"] == 2
    assert error["error"]["code"] == "worker_died"
    assert "killed" not in response.text


def test_an_error_after_comments_is_an_event_too(remote: httpx2.Client, engine: FakeEngine) -> None:
    engine.script = Script(token_ids=(), prefill_delay=0.3, error=NumericError("nan"))
    response = remote.post(CHAT, json=STREAMED)
    assert response.status_code == 200
    assert blocks(response.text)[0] == KEEP_ALIVE
    (error,) = payloads(response.text)
    assert error["error"]["code"] == "numeric_error"
    assert "[DONE]" not in response.text


def test_a_defect_on_the_way_says_nothing_of_itself(
    remote: httpx2.Client, engine: FakeEngine
) -> None:
    engine.script = Script(token_ids=tuple(b"Hi"), error=ZeroDivisionError("secret"))
    text = remote.post(CHAT, json=STREAMED).text
    assert payloads(text)[-1]["error"]["code"] == "server_error"
    assert "secret" not in text


@pytest.mark.parametrize(
    ("script", "body", "read"),
    [
        pytest.param(says("Hi", prefill_delay=60), STREAMED, 0, id="before the status line"),
        pytest.param(says("Hi", prefill_delay=60), STREAMED, 1, id="during comments"),
        pytest.param(says("H" * 3000, delay=0.02), STREAMED, 1000, id="during tokens"),
        pytest.param(says("Hi", delay=60), HELLO, 0, id="a reply in one piece"),
    ],
)
def test_a_client_that_goes_away_frees_its_slot(
    port: int, engine: FakeEngine, script: Script, body: dict[str, Any], read: int
) -> None:
    engine.script = script
    before = len(engine.requests)
    with connect(port) as connection:
        connection.sendall(post(CHAT, json.dumps(body).encode()))
        assert eventually(lambda: len(engine.requests) > before)
        received = 0
        while received < read:
            received += len(connection.recv(4096))
        assert engine.active
    assert eventually(lambda: not engine.active)


def test_a_long_encoding_does_not_stop_other_requests(
    port: int, remote: httpx2.Client, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = bench.template.render
    has_begun, may_end = threading.Event(), threading.Event()

    def slow_render(conversation: Conversation) -> list[int]:
        has_begun.set()
        may_end.wait(30)
        return render(conversation)

    monkeypatch.setattr(bench.template, "render", slow_render)
    with connect(port, timeout=30) as connection:
        connection.sendall(post(CHAT, json.dumps(HELLO).encode()))
        assert has_begun.wait(30)
        assert remote.get("/health/live").status_code == 200
        may_end.set()
        assert read_reply(connection).status == 200


def test_a_client_that_takes_nothing_is_cut_off(bench: Bench) -> None:
    endless = fake_engine(Script(token_ids=tuple(b"x" * 200_000)), context_length=2**20)
    with (
        bench.live(endless, send_timeout=0.3) as port,
        connect(port, receive_bytes=4096) as connection,
    ):
        connection.sendall(post(CHAT, json.dumps(STREAMED).encode()))
        assert eventually(lambda: bool(endless.active))
        assert eventually(lambda: not endless.active)
        assert endless.cancelled
