"""Constraints of tool calls: which calls and which text around them get through."""

from server.constraints import Choice, Gbnf, Lark, Regex
from tests.server.grammars.support import (
    Grammar,
    accepted,
    calls,
    function,
    refused,
    schema,
)
from tests.server.grammars.test_checker import PERSON

WEATHER = function(
    "get_weather",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
CLOCK = function(
    "get_time",
    {"properties": {"zone": {"$ref": "#/$defs/Zone"}}, "$defs": {"Zone": {"enum": ["UTC"]}}},
)


def call_of(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


ROME = call_of("get_weather", '{"city": "Rome"}')
UTC = call_of("get_time", '{"zone": "UTC"}')


def test_required_calls_are_calls_of_the_functions_with_arguments_by_their_schemas() -> None:
    grammar = Grammar(calls(WEATHER, CLOCK))
    assert grammar.allows(ROME)
    assert grammar.allows(UTC)
    assert not grammar.allows_beginning("Hello")
    assert not grammar.allows_beginning(call_of("get_rich", "{}"))
    assert not grammar.allows_beginning(call_of("get_time", '{"zone": "CET"}'))
    assert not grammar.allows_beginning(call_of("get_weather", "{}"))
    assert not grammar.allows_beginning(f"{ROME}\n{UTC}")


def test_calls_may_repeat_if_they_may_be_parallel() -> None:
    grammar = Grammar(calls(WEATHER, CLOCK, may_repeat=True))
    assert grammar.allows(f"{ROME}\n{UTC}\n{ROME}")
    assert not grammar.allows(f"{ROME}{UTC}")


def test_without_need_there_may_be_text_calls_or_both() -> None:
    grammar = Grammar(calls(WEATHER, is_required=False))
    for reply in ("", "Just text.\nAnd more <b>of</b> it: {", ROME, f"I shall look.\n{ROME}"):
        assert grammar.allows(reply)
    assert not grammar.allows_beginning(f"{ROME}\nand text")
    assert not grammar.allows_beginning(call_of("get_weather", '{"town"'))


def test_calls_and_a_form_of_the_answer_go_together() -> None:
    for content, answer in (
        (schema(PERSON), '{"name": "Ann", "tags": []}'),
        (Regex("[a/]+"), "a/a"),
        (Choice(("yes", "no")), "yes"),
        (Lark('start: call "!"\ncall: "ping" | "call" call'), "callping!"),
        (Gbnf('root ::= "yes" | calls\ncalls ::= "no" [0-9]'), "no7"),
    ):
        grammar = Grammar(calls(WEATHER, is_required=False, content=content))
        assert grammar.allows(answer)
        assert grammar.allows(ROME)
        assert not grammar.allows_beginning("Well")
        assert not grammar.allows_beginning(f"{answer}\n<tool_call>")


def test_a_function_without_parameters_is_called_without_arguments() -> None:
    nothing = function("ping", {"type": "object", "properties": {}, "additionalProperties": False})
    grammar = Grammar(calls(nothing))
    assert grammar.allows(call_of("ping", "{}"))
    assert not grammar.allows_beginning(call_of("ping", '{"a"'))


def test_an_unsupported_keyword_of_a_strict_function_is_refused_and_of_another_left_out() -> None:
    unique = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    assert "uniqueItems" in refused(calls(WEATHER, function("f", unique)))
    lenient = accepted(calls(WEATHER, function("f", unique, is_strict=False)))
    assert any("uniqueItems" in warning for warning in lenient.warnings)


def test_text_in_arguments_never_becomes_a_tag() -> None:
    grammar = Grammar(calls(WEATHER))
    beginning = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "'
    assert grammar.allows_beginning(beginning)
    assert not grammar.allows_beginning(beginning + "</tool_call>")
    assert not grammar.allows_beginning(beginning + "<tool_call>")
