"""Tools on chat completions: what makes no sense is refused by name."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.replies import CHAT
from tests.server.openai.support import HELLO
from tests.server.openai.test_tools import CLOCK, TOOLS, named


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a" * 65}}]},
            "tools[0].function.name",
        ),
        ({"tools": [{"type": "function", "function": CLOCK | {"parameters": []}}]}, None),
        ({"tools": TOOLS * 65}, "tools"),
        ({"tools": [TOOLS[0], TOOLS[0]]}, "tools"),
        ({"tools": {}}, "tools"),
        ({"tools": [5]}, "tools[0]"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": named("weather")}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": named("rain")}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {}}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {}}}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        (
            {
                "tools": TOOLS,
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [named("rain")]},
                },
            },
            "tool_choice",
        ),
        ({"tools": TOOLS, "parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"tools": TOOLS, "functions": [CLOCK]}, "functions"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"functions": [CLOCK], "function_call": {"name": "rain"}}, "function_call"),
        ({"functions": [CLOCK], "function_call": "required"}, "function_call"),
        ({"function_call": {"name": "rain"}}, "function_call"),
        ({"tools": TOOLS, "function_call": "none"}, "function_call"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_makes_no_sense_is_refused_by_name(
    client: TestClient, engine: FakeEngine, fields: dict[str, Any], param: str | None
) -> None:
    before = len(engine.requests)
    response = client.post(CHAT, json=HELLO | fields)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == (param or "tools[0].function.parameters")
    assert len(engine.requests) == before


@pytest.mark.parametrize("kind", ["custom", "web_search", "mcp"])
def test_tools_of_other_kinds_are_unsupported(client: TestClient, kind: str) -> None:
    fields: list[dict[str, Any]] = [
        {"tools": [{"type": kind, kind: {"name": "x"}}]},
        {"tools": TOOLS, "tool_choice": {"type": kind, kind: {"name": "x"}}},
    ]
    for field in fields:
        error = client.post(CHAT, json=HELLO | field).json()["error"]
        assert error["code"] == "unsupported_parameter"


def test_unknown_fields_of_tools_are_named(client: TestClient) -> None:
    tool = {"type": "function", "function": CLOCK | {"shape": 1}, "cache_control": {}}
    response = client.post(CHAT, json=HELLO | {"tools": [tool]})
    names = response.headers["x-ignored-fields"]
    assert names == "tools[].cache_control, tools[].function.shape"
