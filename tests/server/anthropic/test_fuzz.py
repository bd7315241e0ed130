"""Whatever the blocks and fields of a request are, the reply is below 500 and has a known shape."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.server.anthropic.asking import COUNT, HELLO, MESSAGES

few = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WORDS = st.sampled_from(
    [
        *("text", "tool_use", "tool_result", "document", "search_result", "thinking", "content"),
        *("user", "assistant", "system", "enabled", "tool", "json_schema", "ephemeral", "x", ""),
    ]
)
KEYS = st.sampled_from(
    [
        *("type", "role", "content", "text", "id", "name", "input", "tool_use_id", "source"),
        *("data", "title", "citations", "input_schema", "schema", "format", "edits", "thinking"),
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-5, 5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        *("messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata"),
        *("context_management", "stop_sequences", "output_format", "cache_control"),
    ]
)
BLOCKS = st.fixed_dictionaries({"type": WORDS}, optional={"text": VALUES, "content": VALUES})
MESSAGE = st.fixed_dictionaries({"role": WORDS, "content": st.lists(BLOCKS, max_size=3) | VALUES})


@few
@given(
    st.dictionaries(FIELDS, VALUES, max_size=3)
    | st.fixed_dictionaries({"messages": st.lists(MESSAGE, max_size=3)})
)
def test_random_fields(client: TestClient, fields: dict[str, Any]) -> None:
    for route in (MESSAGES, COUNT):
        reply = client.post(route, json=HELLO | fields)
        assert reply.status_code in (200, 400), reply.text
        if reply.status_code == 400:
            assert reply.json()["error"]["type"] == "invalid_request_error"
