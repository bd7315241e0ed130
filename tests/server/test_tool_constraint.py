"""When tools demand a form of the reply, and which."""

import json
from typing import Any

import pytest

from server.constraints import ANY_OBJECT, JsonSchema, Lark, TextForm, ToolCalls
from server.errors import BadRequest
from server.tool_constraint import constraint_of
from server.tools import Tool, Toolbox, ToolChoice, ToolMode

CITY: dict[str, Any] = {"properties": {"city": {"type": "string"}}, "type": "object"}
WEATHER = Tool(name="weather", parameters=CITY)
CLOCK = Tool(name="clock")
FORM = JsonSchema(ANY_OBJECT)


def box(*tools: Tool, **choice: Any) -> Toolbox:
    return Toolbox(tools=tools or (WEATHER, CLOCK), choice=ToolChoice(**choice))


def calls(toolbox: Toolbox, content: TextForm | None = None) -> ToolCalls:
    constraint = constraint_of(toolbox, content)
    assert isinstance(constraint, ToolCalls)
    return constraint


def test_a_model_that_may_do_as_it_likes_is_not_slowed_down() -> None:
    assert constraint_of(box(), None) is None
    assert constraint_of(Toolbox(), None) is None
    assert constraint_of(box(mode=ToolMode.NONE), None) is None


def test_without_calls_only_the_form_of_the_text_counts() -> None:
    assert constraint_of(Toolbox(), FORM) is FORM
    assert constraint_of(box(mode=ToolMode.NONE), FORM) is FORM


def test_required_calls_leave_no_room_for_text() -> None:
    required = calls(box(mode=ToolMode.REQUIRED), FORM)
    assert required.is_required
    assert required.may_repeat
    assert required.content is None
    assert [function.name for function in required.functions] == ["weather", "clock"]


def test_a_named_tool_is_the_only_one_that_can_be_called() -> None:
    named = calls(box(mode=ToolMode.NAMED, names=("clock",), parallel=False))
    assert named.is_required
    assert not named.may_repeat
    assert [function.name for function in named.functions] == ["clock"]


def test_tools_that_are_not_allowed_cannot_be_called() -> None:
    allowed = calls(box(names=("clock",)))
    assert not allowed.is_required
    assert [function.name for function in allowed.functions] == ["clock"]


def test_one_strict_tool_is_enough_to_guard_all_calls() -> None:
    strict = Tool(name="strict", strict=True)
    guarded = calls(box(WEATHER, strict))
    assert not guarded.is_required
    assert [function.is_strict for function in guarded.functions] == [False, True]
    assert constraint_of(box(WEATHER, strict, names=("weather",)), None) is not None


def test_text_of_a_certain_form_may_be_replaced_by_calls() -> None:
    either = calls(box(), FORM)
    assert not either.is_required
    assert either.content is FORM


def test_arguments_are_objects_and_without_a_schema_empty() -> None:
    untyped = Tool(name="untyped", parameters={"properties": {}})
    functions = calls(box(WEATHER, CLOCK, untyped, mode=ToolMode.REQUIRED)).functions
    schemas = [json.loads(function.parameters) for function in functions]
    assert schemas[0] == CITY
    assert schemas[1] == {"type": "object", "properties": {}, "additionalProperties": False}
    assert schemas[2] == {"type": "object", "properties": {}}


@pytest.mark.parametrize("kind", ["string", ["object", "null"], None])
def test_arguments_that_are_no_object_are_refused(kind: object) -> None:
    wrong = Tool(name="wrong", parameters={"type": kind})
    with pytest.raises(BadRequest, match="wrong") as caught:
        constraint_of(box(wrong, mode=ToolMode.REQUIRED), None)
    assert caught.value.param == "tools"


def test_a_grammar_of_ones_own_is_the_form_of_what_is_no_call() -> None:
    grammar = Lark('start: "a"')
    assert calls(box(), grammar).content is grammar
    assert constraint_of(box(mode=ToolMode.NONE), grammar) is grammar
    assert calls(box(mode=ToolMode.REQUIRED)).is_required
