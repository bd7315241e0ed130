"""What constraints let through, and that all others are refused with a reason fit for clients."""

import json
from typing import Any

import pytest

from server.constraints import Choice, Constraint, Gbnf, Lark, Regex
from tests.server.grammars.support import (
    Grammar,
    accepted,
    calls,
    function,
    refused,
    schema,
)

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"enum": [1, 2]}},
    },
    "required": ["name", "tags"],
    "additionalProperties": False,
}


def test_json_has_a_space_after_each_separator_and_nowhere_else() -> None:
    grammar = Grammar(schema(PERSON))
    assert grammar.allows('{"name": "Ann", "tags": [1, 2]}')
    assert not grammar.allows('{"name":"Ann","tags":[1,2]}')
    assert not grammar.allows_beginning('{ "name"')
    assert not grammar.allows_beginning('{"name":  ')
    assert not grammar.allows_beginning("\n{")
    assert not grammar.allows('{"name": "Ann", "tags": []} ')


def test_compact_json_has_no_space_at_all() -> None:
    grammar = Grammar(schema(PERSON, is_compact=True))
    assert grammar.allows('{"name":"Ann","tags":[1,2]}')
    assert not grammar.allows_beginning('{"name": ')


def test_a_schema_cannot_ask_for_white_space_without_end() -> None:
    flexible = {"type": "object", "x-guidance": {"whitespace_flexible": True}}
    grammar = Grammar(schema(flexible))
    assert not grammar.allows_beginning("{ ")


def test_any_object_may_nest_but_must_be_an_object() -> None:
    grammar = Grammar(schema({"type": "object"}))
    assert grammar.allows('{"a": {"b": [1.5e3, null, "x", [[]]]}, "c": {}}')
    assert not grammar.allows_beginning("[")


@pytest.mark.parametrize(
    "keys",
    [["\x00", "__proto__"], ["k" * 1000], ["\U0001f600", "ключ"], ['"', "\\", "</tool_call>"]],
)
def test_strange_keys_come_out_as_valid_json(keys: list[str]) -> None:
    strange = {
        "type": "object",
        "properties": {key: {"type": "boolean"} for key in keys},
        "required": keys,
        "additionalProperties": False,
    }
    grammar = Grammar(schema(strange))
    state = grammar.state
    text = b""
    while not state.is_stopped():
        text += bytes(state.compute_ff_bytes()) or b"true"
        state.reset()
        assert state.consume_tokens(list(text))
    assert json.loads(text) == dict.fromkeys(keys, True)


@pytest.mark.parametrize(
    ("unsupported", "keyword"),
    [
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"not": {"type": "string"}}, "not"),
        ({"type": "string", "format": "shoe-size"}, "shoe-size"),
        ({"if": {"type": "string"}, "then": {"minLength": 2}}, "if"),
        ({"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]}, "oneOf"),
    ],
)
def test_what_cannot_be_guaranteed_is_refused_if_strict_and_named_if_not(
    unsupported: dict[str, Any], keyword: str
) -> None:
    assert keyword in refused(schema(unsupported))
    (warning,) = accepted(schema(unsupported, is_strict=False)).warnings
    assert keyword in warning


def test_a_schema_that_is_supported_as_a_whole_has_no_warnings() -> None:
    assert accepted(schema(PERSON, is_strict=False)).warnings == []


@pytest.mark.parametrize(
    "impossible",
    [
        {"type": "integer", "minimum": 5, "maximum": 3},
        {"type": "array", "minItems": 5, "maxItems": 3},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"const": 1, "enum": [2]},
        {"enum": []},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"type": "string", "pattern": "^a$", "minLength": 5},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#/$defs/a/../../..", "$defs": {"a": {}}},
        {"type": "object", "required": ["a"], "additionalProperties": False},
        {"type": "shoe"},
        {"properties": 3},
        {"enum": 3},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("is_strict", [True, False])
def test_a_schema_without_an_instance_or_sense_is_refused(
    impossible: dict[str, Any], is_strict: bool
) -> None:
    assert refused(schema(impossible, is_strict=is_strict))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/schema", "file:///etc/passwd"])
@pytest.mark.parametrize("is_strict", [True, False])
def test_references_to_other_places_are_neither_followed_nor_taken_for_anything(
    url: str, is_strict: bool
) -> None:
    assert "does not fetch" in refused(schema({"$ref": url}, is_strict=is_strict))


def test_recursion_is_fine() -> None:
    tree = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["children"],
        "additionalProperties": False,
    }
    assert Grammar(schema(tree)).allows('{"children": [{"children": []}, {"children": []}]}')


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        (Regex("[ab]{2,3}c?"), "abc", "a"),
        (Regex("a/b|\n"), "a/b", "a"),
        (Choice(("yes", "no")), "no", "maybe"),
        (Choice(('a"b\\', "\U0001f600\x7f\x00\n")), "\U0001f600\x7f\x00\n", "a"),
        (Choice(("a", "ab")), "ab", "b"),
        (Lark('start: "a" b\nb: /[0-9]/'), "a7", "ab"),
        (Lark('start: %json {"type": "boolean"} "!"'), "true!", "true"),
        (Gbnf('root ::= "yes" | neg\nneg ::= "no" "t"? # comment'), "not", "noo"),
        (Gbnf('root ::= [a-c]+ ("," ws [^"x]{2})*\nws ::= [ \\t]*'), "ab, yy,\tz!", "ab, yx"),
    ],
    ids=str,
)
def test_text_constraints_mean_what_they_say(constraint: Constraint, good: str, bad: str) -> None:
    grammar = Grammar(constraint)
    assert grammar.allows(good)
    assert not grammar.allows(bad)


ARITHMETIC = r"""
root ::= (expr "=" term "\n")+
expr ::= term ([-+*/] term)*
term ::= num | "(" expr ")"
num  ::= [0-9]+
"""


def test_a_grammar_in_llama_cpp_s_notation_may_be_recursive() -> None:
    grammar = Grammar(Gbnf(ARITHMETIC))
    assert grammar.allows("1+(2*3)=7\n8=8\n")
    assert not grammar.allows_beginning("1+=")


@pytest.mark.parametrize(
    "constraint",
    [
        Regex("(?<=x)*y"),
        Regex(r"(a)\1"),
        Regex("[a"),
        Regex("(" * 20_000 + "a" + ")" * 20_000),
        Regex("a{100000000}"),
        Lark(""),
        Lark("   "),
        Lark("start: foo"),
        Lark('foo: "a"'),
        Lark("start: a\na: b\nb: a"),
        Lark("start: " + "(" * 60_000 + '"a"' + ")" * 60_000),
        Gbnf(""),
        Gbnf("   "),
        Gbnf("root ::= foo"),
        Gbnf('x ::= "a"'),
        Gbnf("root : x"),
        Gbnf("root ::= " + "(" * 60_000 + '"a"' + ")" * 60_000),
    ],
    ids=lambda constraint: str(constraint)[:40],
)
def test_what_is_no_grammar_is_refused_with_a_short_reason(constraint: Constraint) -> None:
    reason = refused(constraint)
    assert 0 < len(reason) <= 200
    assert "\n" not in reason


def test_reasons_do_not_quote_what_was_sent() -> None:
    secret = "hunter2"
    for constraint in (
        Regex(f"({secret}"),
        schema({"type": "string", "pattern": f"^{secret}$", "minLength": 50}),
        schema({"type": "string", "pattern": f"({secret}"}),
        Gbnf(f'root : "{secret}"'),
    ):
        assert secret not in refused(constraint)


@pytest.mark.parametrize(
    "constraint",
    [
        schema({"type": "array", "maxItems": 10**9}),
        schema({"type": "array", "minItems": 10**7}),
        schema({"type": "string", "minLength": 10**8}),
        schema({"enum": ["same", "same"]}),
        schema({"type": "string", "pattern": "^(a+)+b$"}),
        Regex("(a|b)*a(a|b){25}"),
        Lark('start: start "a" | "a"'),
        Lark('start: "a"{1,1000000000}'),
        Lark("start: a\na: b\nb: a | "),
    ],
    ids=str,
)
def test_what_only_looks_dangerous_is_compiled(constraint: Constraint) -> None:
    accepted(constraint)


@pytest.mark.slow
def test_a_thousand_optional_members_and_a_thousand_values_are_compiled() -> None:
    members = {f"p{number}": {"type": "string"} for number in range(1001)}
    grammar = Grammar(schema({"type": "object", "properties": members}))
    assert grammar.allows('{"p3": "a", "p1000": "b"}')
    values = Grammar(schema({"enum": [f"value {number}" for number in range(1000)]}))
    assert values.allows('"value 999"')


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
