"""What Claude Code sends beside what the API's documentation has."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.anthropic.asking import ASKED, COUNT, HELLO, TOOLS, prompt_of, shown, texts
from tests.server.openai.support import MODEL

BILLING = "x-anthropic-billing-header: cc_version=2.1.177.{0}; cc_entrypoint=cli; cch={0};"


@pytest.mark.parametrize(
    "system",
    [
        lambda header: [*texts(header), *texts("You are Claude Code.", "More.")],
        lambda header: f"{header}\nYou are Claude Code.\nMore.",
    ],
    ids=["block", "line"],
)
def test_the_header_that_changes_with_every_request_is_not_shown(
    client: TestClient, engine: FakeEngine, system: Any
) -> None:
    prompts = {
        shown(client, engine, system=system(BILLING.format(nonce))) for nonce in ("3fa", "0b1")
    }
    assert prompts == {shown(client, engine, system="You are Claude Code.\nMore.")}


def test_a_user_may_write_of_that_header(client: TestClient, engine: FakeEngine) -> None:
    header = BILLING.format("1")
    assert header in shown(client, engine, messages=[{"role": "user", "content": header}])


def test_the_header_does_not_count(client: TestClient) -> None:
    body = {"model": MODEL, "messages": ASKED}
    with_header = body | {"system": texts(BILLING.format("1"), "Be brief.")}
    without = body | {"system": "Be brief."}
    assert client.post(COUNT, json=with_header).json() == client.post(COUNT, json=without).json()


def test_what_claude_code_sends_is_answered(client: TestClient, engine: FakeEngine) -> None:
    cache = {"cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"}}
    body = {
        "model": MODEL,
        "max_tokens": 32000,
        "stream": False,
        "system": [
            *texts(BILLING.format("5ab")),
            {"type": "text", "text": "You are Claude Code.", **cache},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hello", **cache}]},
        ],
        "tools": [{**TOOLS[0], "eager_input_streaming": True, **cache}, TOOLS[1]],
        "metadata": {"user_id": json.dumps({"device_id": "0" * 64, "session_id": "x"})},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "temperature": 1,
    }
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
        "x-app": "cli",
        "authorization": "Bearer anything",
    }
    response = client.post("/v1/messages?beta=true", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json()["context_management"] == {"applied_edits": []}
    assert "x-ignored-fields" not in response.headers
    assert "systemYou are Claude Code." in prompt_of(engine)
    assert HELLO.keys() <= body.keys()
