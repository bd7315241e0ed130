"""What OpenRouter does beyond OpenAI's dialect, seen on the wire."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.support import ALIAS, END_OF_TEXT, HELLO, MODEL, ONCE, Bench, says
from tests.server.wire import connect, exchange, get, post

CHAT = "/api/v1/chat/completions"
COMPLETIONS = "/api/v1/completions"
KEYS = ["a" * 32, "b" * 32]
ASSISTANT = 265  # the end of the role line, where a new turn of the assistant begins


def bearer(key: str) -> str:
    return f"Authorization: Bearer {key}"


def chunks_of(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data:")]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_openais_types_fit_too(client: TestClient) -> None:
    whole = client.post(CHAT, json=HELLO)
    ChatCompletion.model_validate_json(whole.content, strict=True)
    Completion.model_validate_json(client.post(COMPLETIONS, json=ONCE).content, strict=True)
    for chunk in chunks_of(client.post(CHAT, json={**HELLO, "stream": True}).text):
        ChatCompletionChunk.model_validate(chunk)


def test_a_reply_names_its_provider_and_the_native_reason(client: TestClient) -> None:
    response = client.post(CHAT, json=HELLO)
    body = response.json()
    assert body["provider"] == "granite-server"
    (choice,) = body["choices"]
    assert choice["native_finish_reason"] == choice["finish_reason"] == "stop"
    assert response.headers["x-generation-id"] == body["id"]


def test_a_stream_has_the_same_id_in_its_header_and_its_chunks(client: TestClient) -> None:
    response = client.post(CHAT, json={**HELLO, "stream": True})
    *chunks, last = chunks_of(response.text)
    assert {chunk["id"] for chunk in [*chunks, last]} == {response.headers["x-generation-id"]}
    assert [c["choices"][0]["native_finish_reason"] for c in chunks] == [None, None, None, "stop"]
    assert not any("usage" in chunk for chunk in chunks)
    assert last["usage"]["total_tokens"] > 0


def test_a_whole_and_a_streamed_reply_are_the_same(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("Once upon a time 漢字")
    whole = client.post(CHAT, json=HELLO).json()
    *chunks, last = chunks_of(client.post(CHAT, json={**HELLO, "stream": True}).text)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == whole["choices"][0]["message"]["content"]
    assert last["usage"] == whole["usage"]


def test_waiting_is_commented_as_the_reference_service_does(
    bench: Bench, engine: FakeEngine
) -> None:
    engine.script = says("Hi", prefill_delay=0.3)
    with bench.live(engine, keep_alive_interval=0.05) as port:
        body = json.dumps({**HELLO, "stream": True}).encode()
        reply = exchange(port, post(CHAT, body))
        elsewhere = exchange(port, post(CHAT.removeprefix("/api"), body))
    assert b"\n: OPENROUTER PROCESSING\n\n" in b"\n" + reply.body
    assert b"PROCESSING" not in elsewhere.body
    assert b": keep-alive\n\n" in elsewhere.body


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"model": None}, 200),
        ({"model": None, "models": ["gpt-5", ALIAS]}, 200),
        ({"model": f"{ALIAS}:nitro"}, 200),
        ({"model": f"{ALIAS}:floor"}, 200),
        ({"model": f"{ALIAS}:online"}, 400),
        ({"model": None, "models": ["gpt-5"]}, 400),
    ],
    ids=str,
)
def test_the_model_may_be_left_out_or_have_a_routing_variant(
    client: TestClient, fields: dict[str, Any], status: int
) -> None:
    body = {"messages": HELLO["messages"], **fields}
    response = client.post(CHAT, json=body)
    assert response.status_code == status
    if status == 200:
        assert response.json()["model"] == MODEL


def test_a_chat_with_a_prompt_is_a_completion(client: TestClient, engine: FakeEngine) -> None:
    body = client.post(CHAT, json={"prompt": "Once"}).json()
    assert engine.requests[-1].prompt_ids == tuple(b"Once")
    assert body["choices"][0]["text"] == "Hi"
    neither = client.post(CHAT, json={"model": MODEL})
    assert neither.status_code == 400
    assert neither.json()["error"]["metadata"]["param"] == "messages"


def test_a_last_message_of_the_assistant_is_continued(
    client: TestClient, engine: FakeEngine
) -> None:
    prefill = {"role": "assistant", "content": "I think"}
    messages = [*HELLO["messages"], prefill]
    client.post(CHAT, json={**HELLO, "messages": messages})
    assert engine.requests[-1].prompt_ids[-len("I think") :] == tuple(b"I think")
    client.post(CHAT, json={**HELLO, "messages": messages, "continue_final_message": False})
    assert engine.requests[-1].prompt_ids[-1] == ASSISTANT
    assert engine.requests[-1].prompt_ids.count(END_OF_TEXT) > 1


@pytest.fixture(scope="module")
def port(bench: Bench, engine: FakeEngine) -> Iterator[int]:
    with bench.live(engine, api_key=KEYS) as port:
        yield port


def generate(port: int, key: str, path: str = CHAT) -> str:
    reply = exchange(port, post(path, json.dumps(HELLO).encode(), bearer(key)))
    generation_id: str = reply.json["id"]
    return generation_id


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
def test_generations_and_usage_belong_to_a_key(port: int, prefix: str) -> None:
    generation_id = generate(port, KEYS[0], f"{prefix}/chat/completions")
    lookup = f"{prefix}/generation?id={generation_id}"
    assert exchange(port, get(lookup, bearer(KEYS[0]))).status == 200
    assert exchange(port, get(lookup, bearer(KEYS[1]))).status == 404
    used = exchange(port, get(f"{prefix}/credits", bearer(KEYS[0]))).json["data"]
    unused = exchange(port, get(f"{prefix}/credits", bearer(KEYS[1]))).json["data"]
    assert used["total_usage"] > 0
    assert unused["total_usage"] == 0


@pytest.mark.parametrize("path", ["/api/v1/key", "/api/v1/auth/key", "/v1/key"])
def test_the_label_of_a_key_does_not_give_it_away(port: int, path: str) -> None:
    label = exchange(port, get(path, bearer(KEYS[0]))).json["data"]["label"]
    assert label not in KEYS[0]
    assert label.removeprefix("key-")[:4] not in KEYS[0]


def test_app_attribution_is_accepted_and_remembered(client: TestClient) -> None:
    headers = {
        "HTTP-Referer": "https://app.example",
        "X-Title": "App",
        "X-OpenRouter-Title": "App",
        "User-Agent": "app/1",
    }
    generation_id = client.post(CHAT, json=HELLO, headers=headers).json()["id"]
    stats = client.get("/api/v1/generation", params={"id": generation_id}).json()["data"]
    assert (stats["origin"], stats["user_agent"]) == ("https://app.example", "app/1")


def leave_early(port: int, body: dict[str, Any]) -> str:
    """Read a few tokens and hang up; the id of the generation."""
    received = b""
    with connect(port) as connection:
        connection.sendall(post(CHAT, json.dumps(body).encode()))
        while received.count(b"data:") < 4:
            received += connection.recv(65536)
    found = re.search(rb"x-generation-id: (\S+)", received)
    assert found
    return found[1].decode()


def wait_for_stats(port: int, generation_id: str) -> dict[str, Any]:
    for _ in range(100):
        reply = exchange(port, get(f"/api/v1/generation?id={generation_id}"))
        if reply.status == 200:
            stats: dict[str, Any] = reply.json["data"]
            return stats
        time.sleep(0.05)
    raise AssertionError("the generation has not ended")


def test_a_stream_that_the_client_leaves_is_counted_up_to_there(
    bench: Bench, engine: FakeEngine
) -> None:
    engine.script = says("x" * 1000, delay=0.01)
    body = {**HELLO, "stream": True}
    with bench.live(engine) as port:
        stats = wait_for_stats(port, leave_early(port, body))
    assert (stats["cancelled"], stats["finish_reason"]) == (True, None)
    assert 0 < stats["tokens_completion"] < 1000
    prices = 0.017 * stats["tokens_prompt"] + 0.112 * stats["tokens_completion"]
    assert stats["total_cost"] == pytest.approx(prices / 1e6)
