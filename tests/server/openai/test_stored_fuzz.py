"""Whatever is sent to the routes whose objects last, the reply is below 500 and names no bug."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.server.openai.support import MODEL, Bench, fake_engine, says

few = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WORDS = st.sampled_from(
    ["message", "user", "assistant", "function_call", "item_reference", "input_text", "x", "", "1"]
)
KEYS = st.sampled_from(
    ["type", "role", "content", "text", "call_id", "name", "arguments", "output", "id", "status"]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-5, 5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["input", "tools", "tool_choice", "text", "include", "instructions", "metadata", "truncation"]
)


@pytest.fixture(scope="module")
def client(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    storage = str(tmp_path_factory.mktemp("fuzz") / "storage.sqlite3")
    app = bench.app(fake_engine(says("Hi")), storage=storage, max_file_bytes=2000)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@few
@given(st.dictionaries(FIELDS, VALUES, max_size=3))
def test_random_fields_of_a_response(client: TestClient, fields: dict[str, Any]) -> None:
    reply = client.post("/v1/responses", json={"model": MODEL, "input": "Hi", **fields})
    assert reply.status_code in (200, 400), reply.text


@few
@given(
    st.binary(max_size=200),
    st.sampled_from(["b", "", '"b"', "x" * 100, "é"]),
)
def test_random_forms(client: TestClient, body: bytes, boundary: str) -> None:
    content_type = f"multipart/form-data; boundary={boundary}".encode()
    framed = b'--b\r\nContent-Disposition: form-data; name="file"' + body + b"\r\n--b--\r\n"
    for content in (body, framed):
        reply = client.post("/v1/files", content=content, headers={b"content-type": content_type})
        assert reply.status_code in (400, 413), reply.text


@few
@given(st.text(max_size=40))
def test_random_ids(client: TestClient, name: str) -> None:
    for path in ("files", "batches", "responses"):
        reply = client.request("GET", f"/v1/{path}/x{name.encode().hex()}")
        assert reply.status_code == 404
        listed = client.get(f"/v1/{path}", params={"after": name, "limit": name, "order": name})
        assert listed.status_code in (400, 404, 405)
