"""What constraints let through, and that all others are refused with a reason fit for clients."""

import json
from typing import Any

import pytest

from server.constraints import Choice, Constraint, Gbnf, Lark, Regex
from tests.server.grammars.support import (
    Grammar,
    accepted,
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
