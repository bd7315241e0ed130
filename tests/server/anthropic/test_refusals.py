"""What is refused by its name beyond whole fields and types, and what is named as ignored."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.anthropic.asking import HELLO, MESSAGES, TOOLS, refused


@pytest.mark.parametrize(
    "source",
    [
        {"type": "base64", "media_type": "application/pdf", "data": "x"},
        {"type": "url", "url": "https://example.org"},
        {"type": "file", "file_id": "file_1"},
    ],
    ids=lambda source: str(source["type"]),
)
def test_documents_that_are_no_text_are_refused(client: TestClient, source: dict[str, str]) -> None:
    block = {"type": "document", "source": source}
    words = refused(client, 400, messages=[{"role": "user", "content": [block]}])
    assert words.startswith(f"messages[0].content[0].source: sources of type '{source['type']}'")


def test_a_demand_for_citations_is_refused(client: TestClient) -> None:
    text = {"type": "text", "media_type": "text/plain", "data": "x"}
    block = {"type": "document", "source": text, "citations": {"enabled": True}}
    words = refused(client, 400, messages=[{"role": "user", "content": [block]}])
    assert words == "messages[0].content[0].citations: this model does not cite"


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"colour": 1}, "colour"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1025}, "thinking"),
        ({"output_config": {"task_budget": {"total": 1}}}, "output_config.task_budget"),
        (
            {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
            "context_management.edits[].clear_tool_uses_20250919",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "y": 1}]}]},
            "messages[].content[].y",
        ),
        ({"tools": [TOOLS[0] | {"z": 1}, TOOLS[1] | {"z": 2}]}, "tools[].z"),
    ],
)
def test_what_has_no_effect_is_named_in_a_header(
    client: TestClient, fields: dict[str, Any], ignored: str
) -> None:
    response = client.post(MESSAGES, json=HELLO | fields)
    assert response.status_code == 200, response.text
    assert response.headers["x-ignored-fields"] == ignored


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": 1.01}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]: must be an object with"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content: must be a string"),
        ({"messages": [{"role": "user", "content": [1]}]}, "messages[0].content[0]: must be an"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "messages[0].content is required"),
        ({"system": [{"type": "image"}]}, "system[0]: blocks of type 'image'"),
        ({"stop_sequences": [""]}, "stop_sequences"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1023}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "max_tokens must be greater"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "compaction"),
        (
            {
                "output_config": {"format": {"type": "json_schema", "schema": {}}},
                "output_format": {"type": "json_schema", "schema": {}},
            },
            "output_format",
        ),
    ],
)
def test_a_wrong_value_is_refused_and_named(
    client: TestClient, fields: dict[str, Any], named: str
) -> None:
    assert named in refused(client, 400, **fields)
