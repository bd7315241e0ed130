"""/v1/batches over a scripted engine: what is asked, what comes of it, and what is refused."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai.types import Batch
from pydantic import SecretStr
from starlette.testclient import TestClient

from engine.request import GenerationRequest
from tests.fakes import FakeEngine, Script
from tests.server.openai.support import HELLO, MODEL, ONCE, Bench, fake_engine, says

BATCHES = "/v1/batches"
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
RESPONSES = "/v1/responses"
WAIT_SECONDS = 20.0


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return fake_engine(says("Hi"))


@pytest.fixture(scope="module")
def client(
    bench: Bench, engine: FakeEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    storage = str(tmp_path_factory.mktemp("batches") / "storage.sqlite3")
    with TestClient(bench.app(engine, storage=storage), base_url="http://localhost") as client:
        yield client


def line(number: int, body: dict[str, Any], url: str = CHAT) -> dict[str, Any]:
    return {"custom_id": f"c{number}", "method": "POST", "url": url, "body": body}


def upload(client: httpx2.Client, *lines: dict[str, Any], purpose: str = "batch") -> str:
    content = "\n".join(json.dumps(row) for row in lines).encode()
    form = {"data": {"purpose": purpose}, "files": {"file": ("in.jsonl", content)}}
    response = client.post("/v1/files", **form)  # type: ignore[arg-type]  # a form by name
    file_id: str = response.json()["id"]
    return file_id


def create(client: httpx2.Client, file_id: str, url: str = CHAT, **fields: Any) -> httpx2.Response:
    body = {"input_file_id": file_id, "endpoint": url, "completion_window": "24h", **fields}
    return client.post(BATCHES, json=body)


def ended(client: httpx2.Client, batch_id: str) -> Batch:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        response = client.get(f"{BATCHES}/{batch_id}")
        batch = Batch.model_validate_json(response.content, strict=True)
        if batch.status not in ("validating", "in_progress", "finalizing", "cancelling"):
            return batch
        time.sleep(0.01)
    raise AssertionError(f"the batch did not end: {batch}")


def rows(client: httpx2.Client, file_id: str | None) -> list[dict[str, Any]]:
    content = client.get(f"/v1/files/{file_id}/content").text
    return [json.loads(row) for row in content.splitlines()]


def test_a_batch_of_chats_gives_what_the_endpoint_would(client: TestClient) -> None:
    file_id = upload(client, *[line(number, HELLO) for number in range(5)])
    response = create(client, file_id, metadata={"run": "7"})
    assert response.status_code == 200, response.text
    created = Batch.model_validate_json(response.content, strict=True)
    assert (created.status, created.metadata) == ("validating", {"run": "7"})
    batch = ended(client, created.id)
    assert (batch.status, batch.model, batch.metadata) == ("completed", MODEL, {"run": "7"})
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 5, "completed": 5, "failed": 0}
    plain = client.post(CHAT, json=HELLO).json()
    assert batch.usage is not None
    assert batch.usage.input_tokens == 5 * plain["usage"]["prompt_tokens"]
    assert batch.usage.output_tokens == 5 * plain["usage"]["completion_tokens"]
    output = rows(client, batch.output_file_id)
    assert [row["custom_id"] for row in output] == [f"c{number}" for number in range(5)]
    same = ("object", "model", "choices", "usage", "system_fingerprint")
    for row in output:
        assert row["response"]["status_code"] == 200
        assert {name: row["response"]["body"][name] for name in same} == {
            name: plain[name] for name in same
        }
    described = client.get(f"/v1/files/{batch.output_file_id}").json()
    assert (described["purpose"], described["filename"]) == (
        "batch_output",
        f"{batch.id}_output.jsonl",
    )


def test_completions_can_be_batched_too(client: TestClient) -> None:
    file_id = upload(client, line(0, ONCE, COMPLETIONS))
    batch = ended(client, create(client, file_id, COMPLETIONS).json()["id"])
    (row,) = rows(client, batch.output_file_id)
    assert row["response"]["body"]["choices"][0]["text"] == "Hi"


def test_responses_can_be_batched_and_are_kept_only_if_a_line_says_so(client: TestClient) -> None:
    asked = {"model": MODEL, "input": "Hello"}
    lines = [line(0, asked, RESPONSES), line(1, asked | {"store": True}, RESPONSES)]
    lines.append(line(2, asked | {"background": True}, RESPONSES))
    batch = ended(client, create(client, upload(client, *lines), RESPONSES).json()["id"])
    bodies = [row["response"]["body"] for row in rows(client, batch.output_file_id)]
    assert [body["output"][0]["content"][0]["text"] for body in bodies] == ["Hi", "Hi"]
    kept = [client.get(f"{RESPONSES}/{body['id']}").status_code for body in bodies]
    assert kept == [404, 200]
    assert batch.usage is not None
    assert batch.usage.output_tokens == sum(body["usage"]["output_tokens"] for body in bodies)
    (refused,) = rows(client, batch.error_file_id)
    assert refused["response"]["body"]["error"]["param"] == "background"


@pytest.mark.parametrize(
    ("url", "body"),
    [(CHAT, HELLO), (COMPLETIONS, ONCE), ("/v1/responses", {"model": MODEL, "input": "Hello"})],
)
def test_batches_give_way_to_those_who_wait_and_are_not_measured_with_them(
    client: TestClient, engine: FakeEngine, url: str, body: dict[str, Any]
) -> None:
    def num_observed() -> str:
        lines = client.get("/metrics").text.splitlines()
        return next(
            row
            for row in lines
            if row.startswith("granite_e2e_request_latency") and "_count" in row
        )

    before = num_observed()
    ended(client, create(client, upload(client, line(0, body, url)), url).json()["id"])
    assert engine.requests[-1].is_background
    assert num_observed() == before
    client.post(url, json=body)
    assert not engine.requests[-1].is_background
    assert num_observed() != before


def test_lines_that_the_endpoint_refuses_are_in_the_error_file(client: TestClient) -> None:
    file_id = upload(
        client,
        line(0, HELLO),
        line(1, HELLO | {"temperature": 3}),
        line(2, HELLO | {"stream": True}),
        line(3, {"model": MODEL}),
    )
    batch = ended(client, create(client, file_id).json()["id"])
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 4, "completed": 1, "failed": 3}
    failures = {row["custom_id"]: row["response"] for row in rows(client, batch.error_file_id)}
    params = {name: answer["body"]["error"]["param"] for name, answer in failures.items()}
    assert params == {"c1": "temperature", "c2": "stream", "c3": "messages"}
    assert {answer["status_code"] for answer in failures.values()} == {400}


def test_an_input_file_with_mistakes_fails_the_batch_with_the_lines(client: TestClient) -> None:
    file_id = upload(client, line(0, HELLO), line(0, HELLO), line(2, ONCE, COMPLETIONS))
    batch = ended(client, create(client, file_id).json()["id"])
    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert [(error.code, error.line) for error in batch.errors.data] == [
        ("duplicate_custom_id", 2),
        ("invalid_url", 3),
    ]


def test_a_batch_can_be_cancelled_while_it_runs_but_not_later(
    client: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_after_the_first(_: GenerationRequest) -> Script:
        return says("Hi" * 500, delay=0.01) if len(engine.requests) > first else says("Hi")

    first = len(engine.requests) + 1
    monkeypatch.setattr(engine, "script", slow_after_the_first)
    file_id = upload(client, *[line(number, HELLO) for number in range(20)])
    batch_id = create(client, file_id).json()["id"]
    while client.get(f"{BATCHES}/{batch_id}").json()["request_counts"]["completed"] == 0:
        time.sleep(0.01)
    response = client.post(f"{BATCHES}/{batch_id}/cancel")
    cancelled = Batch.model_validate_json(response.content, strict=True)
    assert cancelled.status == "cancelling"
    assert cancelled.cancelling_at is not None
    batch = ended(client, batch_id)
    assert batch.status == "cancelled"
    assert len(rows(client, batch.output_file_id)) == 1
    assert {row["error"]["code"] for row in rows(client, batch.error_file_id)} == {
        "batch_cancelled"
    }
    assert not engine.active
    again = client.post(f"{BATCHES}/{batch_id}/cancel")
    assert again.status_code == 400
    assert again.json()["error"]["param"] == "batch_id"


def test_batches_are_listed_newest_first(client: TestClient) -> None:
    file_id = upload(client, line(0, HELLO))
    ids = [create(client, file_id).json()["id"] for _ in range(3)]
    for batch_id in ids:
        ended(client, batch_id)
    listed = client.get(BATCHES, params={"limit": 2}).json()
    assert [batch["id"] for batch in listed["data"]] == ids[:0:-1]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (ids[2], ids[1], True)
    more = client.get(BATCHES, params={"after": ids[1], "limit": 1}).json()
    assert [batch["id"] for batch in more["data"]] == ids[:1]
    assert client.get(BATCHES, params={"limit": 101}).status_code == 400


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": ""}, "input_file_id"),
        ({"input_file_id": None}, "input_file_id"),
        ({"metadata": {str(key): "x" for key in range(17)}}, "metadata"),
        ({"metadata": {"k": "x" * 513}}, "metadata"),
        ({"metadata": {"k": 1}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "output_expires_after"),
        ({"output_expires_after": {"anchor": "now", "seconds": 7200}}, "output_expires_after"),
    ],
)
def test_fields_are_checked(client: TestClient, fields: dict[str, Any], param: str) -> None:
    response = create(client, upload(client, line(0, HELLO)), **fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_the_input_must_be_a_file_for_batches(client: TestClient) -> None:
    missing = create(client, "file-missing")
    assert (missing.status_code, missing.json()["error"]["param"]) == (404, "input_file_id")
    of_other_purpose = create(client, upload(client, line(0, HELLO), purpose="user_data"))
    assert of_other_purpose.json()["error"]["param"] == "input_file_id"
    assert client.get(f"{BATCHES}/batch_x").json()["error"]["param"] == "batch_id"
    assert client.post(f"{BATCHES}/batch_x/cancel").status_code == 404


def test_output_files_last_as_long_as_was_asked(client: TestClient) -> None:
    file_id = upload(client, line(0, HELLO))
    expiry = {"anchor": "created_at", "seconds": 7200}
    batch = ended(client, create(client, file_id, output_expires_after=expiry).json()["id"])
    described = client.get(f"/v1/files/{batch.output_file_id}").json()
    assert abs(described["expires_at"] - described["created_at"] - 7200) <= 1


def test_a_restart_goes_on_where_the_server_was_stopped(bench: Bench, tmp_path: Path) -> None:
    storage = str(tmp_path / "storage.sqlite3")
    slow = fake_engine(says("Hi" * 100, delay=0.005))
    with TestClient(bench.app(slow, storage=storage), base_url="http://localhost") as client:
        file_id = upload(client, *[line(number, HELLO) for number in range(30)])
        batch_id = create(client, file_id).json()["id"]
        while client.get(f"{BATCHES}/{batch_id}").json()["request_counts"]["completed"] == 0:
            time.sleep(0.01)
    fast = fake_engine(says("Hi"))
    with TestClient(bench.app(fast, storage=storage), base_url="http://localhost") as client:
        batch = ended(client, batch_id)
        assert batch.request_counts is not None
        assert batch.request_counts.completed == 30
        ids = [row["custom_id"] for row in rows(client, batch.output_file_id)]
        assert ids == [f"c{number}" for number in range(30)]
    assert 0 < len(fast.requests) < 30


def test_each_key_sees_its_own_batches_only(bench: Bench, tmp_path: Path) -> None:
    keys = [SecretStr("alice"), SecretStr("bob")]
    storage = str(tmp_path / "storage.sqlite3")
    app = bench.app(fake_engine(says("Hi")), storage=storage, api_key=keys)
    with TestClient(app, base_url="http://localhost") as client:
        client.headers["authorization"] = "Bearer alice"
        file_id = upload(client, line(0, HELLO))
        batch_id = create(client, file_id).json()["id"]
        batch = ended(client, batch_id)
        client.headers["authorization"] = "Bearer bob"
        assert client.get(BATCHES).json()["data"] == []
        assert client.get(f"{BATCHES}/{batch_id}").status_code == 404
        assert client.post(f"{BATCHES}/{batch_id}/cancel").status_code == 404
        assert client.get(f"/v1/files/{batch.output_file_id}/content").status_code == 404
        assert create(client, file_id).status_code == 404
