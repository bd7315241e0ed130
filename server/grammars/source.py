"""Constraints as sources that llguidance compiles. Runs where a hostile one may do its worst."""

import json
from collections.abc import Mapping
from typing import Any

from llguidance import LLMatcher, regex_to_lark
from llguidance.gbnf_to_lark import gbnf_to_lark

from server.constraints import Choice, Constraint, Gbnf, JsonSchema, Lark, Regex, TextForm
from server.grammars.tool_calls import tool_call_grammar

OWN_GRAMMAR = "own"
"""What a caller's whole grammar is called within that of calls, where it has rules to itself."""


def grammar_source(constraint: Constraint, control_tokens: Mapping[str, int]) -> str:
    """What `sampling.grammar.compile_grammar` takes.

    Raises:
        Exception: of the converter's own kinds, for GBNF that it cannot read.
    """
    match constraint:
        case JsonSchema():
            schema = _schema_with_options(constraint)
            return LLMatcher.grammar_from_json_schema(json.dumps(schema))
        case Regex(pattern):
            return LLMatcher.grammar_from_regex(pattern)
        case Lark() | Gbnf():
            lark = _lark(constraint)
        case Choice():
            lark = "start: " + _expression(constraint)
        case _:
            lark = tool_call_grammar(constraint, control_tokens, _expression)
            if isinstance(constraint.content, Lark | Gbnf):
                own = {"name": OWN_GRAMMAR, "lark_grammar": _lark(constraint.content)}
                return json.dumps({"grammars": [{"lark_grammar": lark}, own]})
    return LLMatcher.grammar_from_lark(lark)


def _lark(grammar: Lark | Gbnf) -> str:
    return grammar.source if isinstance(grammar, Lark) else gbnf_to_lark(grammar.source)


def _expression(constraint: TextForm) -> str:
    """The constraint as the right side of a rule."""
    match constraint:
        case JsonSchema():
            return "%json " + json.dumps(_schema_with_options(constraint))
        case Regex(pattern):
            return f"/{regex_to_lark(pattern, use_ascii='')}/"
        case Choice(options):
            return " | ".join(map(json.dumps, options))
        case Lark() | Gbnf():
            return f"@{OWN_GRAMMAR}"


def _schema_with_options(constraint: JsonSchema) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(constraint.schema)
    separators = (",", ":") if constraint.is_compact else (", ", ": ")
    options = {
        "item_separator": separators[0],
        "key_separator": separators[1],
        "whitespace_flexible": False,
        "lenient": not constraint.is_strict,
        "coerce_one_of": not constraint.is_strict,
    }
    return {**schema, "x-guidance": options}
