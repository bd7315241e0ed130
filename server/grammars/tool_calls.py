"""The grammar of replies with tool calls, in the form in which Granite's template writes them."""

import json
from collections.abc import Callable, Mapping

from server.constraints import JsonSchema, TextForm, ToolCalls

OPENING_TAG, CLOSING_TAG = "<tool_call>", "</tool_call>"

Expression = Callable[[TextForm], str]
"""A constraint as the right side of a rule."""


def tool_call_grammar(
    calls: ToolCalls, control_tokens: Mapping[str, int], expression: Expression
) -> str:
    """In Lark. The name comes first, so that the schema of the arguments is known by then.

    The tags are control tokens, which text can never become, so free text before a call ends
    exactly where the model begins to call.
    """
    functions = " | ".join(f"function_{number}" for number in range(len(calls.functions)))
    rules = [
        _start(calls),
        'calls: call ("\\n" call)*' if calls.may_repeat else "calls: call",
        f'call: {_tag(OPENING_TAG, control_tokens)} "\\n" ({functions}) "\\n" '
        f"{_tag(CLOSING_TAG, control_tokens)}",
        "TEXT: /(.|\\n)*/",
    ]
    if calls.content is not None:
        rules.append(f"content: {expression(calls.content)}")
    for number, function in enumerate(calls.functions):
        beginning = f'{{"name": {json.dumps(function.name)}, "arguments": '
        arguments = expression(JsonSchema(function.parameters, function.is_strict))
        rules += [
            f'function_{number}: {json.dumps(beginning)} arguments_{number} "}}"',
            f"arguments_{number}: {arguments}",
        ]
    return "\n".join(rules)


def _start(calls: ToolCalls) -> str:
    if calls.is_required:
        return "start: calls"
    return "start: TEXT calls?" if calls.content is None else "start: calls | content"


def _tag(text: str, control_tokens: Mapping[str, int]) -> str:
    """By id where the tag is one token, else spelt out."""
    token_id = control_tokens.get(text)
    return json.dumps(text) if token_id is None else f"<[{token_id}]>"
