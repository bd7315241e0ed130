"""Files and batches through OpenAI's own client, and a batch that outlives its server."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from openai.types import Batch

from tests.conftest import DemoServer, client_of, serve_demo

WAIT_SECONDS = 100.0
WORDS = ["river", "stone", "cloud", "green", "seven", "apple"]


def chat_line(model: str, number: int, **fields: Any) -> dict[str, Any]:
    text = f"Repeat after me: {WORDS[number % len(WORDS)]}"
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": 32,
        **fields,
    }
    url = "/v1/chat/completions"
    return {"custom_id": f"line-{number}", "method": "POST", "url": url, "body": body}


def new_batch(client: OpenAI, lines: list[dict[str, Any]]) -> Batch:
    content = "\n".join(json.dumps(line) for line in lines).encode()
    file = client.files.create(file=("lines.jsonl", content), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )


def ended(client: OpenAI, batch_id: str) -> Batch:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        batch = client.batches.retrieve(batch_id)
        if batch.status in ("completed", "failed", "expired", "cancelled"):
            return batch
        time.sleep(0.1)
    raise AssertionError(f"still {batch.status}: {batch.request_counts}")


def texts(client: OpenAI, file_id: str | None) -> dict[str, str]:
    assert file_id is not None
    rows = [json.loads(row) for row in client.files.content(file_id).text.splitlines()]
    return {
        row["custom_id"]: row["response"]["body"]["choices"][0]["message"]["content"]
        for row in rows
    }


def test_a_batch_says_what_the_same_chats_say(client: OpenAI, demo_server: DemoServer) -> None:
    lines = [chat_line(demo_server.model, number) for number in range(6)]
    bad = chat_line(demo_server.model, 6, temperature=9)
    batch = ended(client, new_batch(client, [*lines, bad]).id)
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 7, "completed": 6, "failed": 1}
    alone = [client.chat.completions.create(**line["body"]) for line in lines]
    answers = texts(client, batch.output_file_id)
    assert list(answers.values()) == [reply.choices[0].message.content for reply in alone]
    assert "river" in answers["line-0"]
    assert batch.error_file_id is not None
    (failure,) = client.files.content(batch.error_file_id).text.splitlines()
    assert json.loads(failure)["response"]["body"]["error"]["param"] == "temperature"
    assert batch.id in [other.id for other in client.batches.list(limit=1)]


def test_a_batch_can_be_cancelled(client: OpenAI, demo_server: DemoServer) -> None:
    lines = [
        chat_line(demo_server.model, number, ignore_eos=True, max_tokens=400)
        for number in range(40)
    ]
    batch = new_batch(client, lines)
    assert client.batches.cancel(batch.id).status == "cancelling"
    assert ended(client, batch.id).status == "cancelled"


def test_a_file_goes_round(client: OpenAI) -> None:
    content = bytes(range(256)) * 5000
    file = client.files.create(file=("any.bin", content), purpose="user_data")
    assert client.files.retrieve(file.id).bytes == len(content)
    assert client.files.content(file.id).content == content
    assert file.id in [other.id for other in client.files.list(purpose="user_data")]
    assert client.files.delete(file.id).deleted


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_batch_goes_on_after_the_server_was_killed(tmp_path: Path) -> None:
    num_lines = 40
    with serve_demo(tmp_path) as (server, process), client_of(server) as client:
        lines = [
            chat_line(server.model, number, ignore_eos=True, max_tokens=96)
            for number in range(num_lines)
        ]
        batch_id = new_batch(client, lines).id
        num_done = 0
        while num_done < 5:
            counts = client.batches.retrieve(batch_id).request_counts
            num_done = counts.completed if counts else 0
            time.sleep(0.05)
        process.kill()
        process.wait()
    assert num_done < num_lines
    with serve_demo(tmp_path) as (server, process), client_of(server) as client:
        counts = client.batches.retrieve(batch_id).request_counts
        assert counts is not None
        assert counts.completed >= num_done
        batch = ended(client, batch_id)
        assert batch.status == "completed"
        assert batch.request_counts is not None
        assert batch.request_counts.completed == num_lines
        answers = texts(client, batch.output_file_id)
        assert list(answers) == [f"line-{number}" for number in range(num_lines)]
        assert batch.usage is not None
        assert batch.usage.output_tokens == num_lines * 96
