"""One server of every dialect around a scripted engine, with some objects that last."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.server.openai.support import HELLO, MODEL, Bench, fake_engine, says

Json = dict[str, Any]
LINE = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": HELLO}
BATCH = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}


@dataclass(frozen=True)
class Api:
    """`known` has a value that exists for each parameter of a path."""

    url: str
    document: Json
    known: dict[str, str]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    bench = Bench.in_directory(tmp_path_factory.mktemp("tokenizer"))
    storage = str(tmp_path_factory.mktemp("openapi") / "storage.sqlite3")
    with bench.live(fake_engine(says("Hi")), storage=storage) as port:
        url = f"http://127.0.0.1:{port}"
        with httpx2.Client(base_url=url) as client:
            document = client.get("/openapi.json").json()
            yield Api(url, document, known_objects(client))


def known_objects(client: httpx2.Client) -> dict[str, str]:
    upload = {"data": {"purpose": "batch"}, "files": {"file": ("in", json.dumps(LINE).encode())}}
    file_id = created(client.post("/v1/files", **upload))  # type: ignore[arg-type]  # a form
    response = {"model": MODEL, "input": "Hi", "background": True}
    return {
        "account": "me",
        "batch_id": created(client.post("/v1/batches", json=BATCH | {"input_file_id": file_id})),
        "endpoint": "granite",
        "file_id": file_id,
        "job_id": created(client.post("/v2/granite/run", json={"input": {"prompt": "Hi"}})),
        "model": MODEL,
        "model_id": MODEL,
        "response_id": created(client.post("/v1/responses", json=response)),
    }


def created(reply: httpx2.Response) -> str:
    assert reply.status_code == 200, reply.text
    identifier: str = reply.json()["id"]
    return identifier
