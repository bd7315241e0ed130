"""`tools` and `functions` in Workers AI's shapes, turned into OpenAI's before they are checked."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from server.field_notes import does
from server.openai.messages import MAX_TOOL_CALLS, ToolCall
from server.openai.request_model import RequestModel
from server.openai.tools import (
    MAX_TOOLS,
    FunctionDefinition,
    FunctionName,
    FunctionTool,
    ToolFields,
)

_MANY = Field(max_length=MAX_TOOLS)
_MANY_CALLS = Field(max_length=MAX_TOOL_CALLS)


class BareCall(RequestModel):
    """A call of an earlier turn, as Workers AI's results have it."""

    name: Annotated[str, does("which function was called")]
    arguments: Annotated[dict[str, Any], does("shown to the model as JSON")]


class CodeFunction(RequestModel):
    """A function whose source the caller's own library runs."""

    name: Annotated[FunctionName, does("what the model calls it")]
    code: Annotated[str, does("shown to the model as its description; nothing runs it")]


def _wrapped(tool: object) -> object:
    is_flat = isinstance(tool, Mapping) and "name" in tool and "function" not in tool
    return {"type": "function", "function": tool} if is_flat else tool


def _described(function: object) -> object:
    """The model reads the source, and nobody here runs it."""
    if not isinstance(function, Mapping) or "code" not in function:
        return function
    rest = {name: value for name, value in function.items() if name != "code"}
    return {"description": function["code"], **rest}


def _as_openai_calls(calls: object) -> object:
    """Calls of earlier turns, also as `{name, arguments: object}`, with arguments as text."""
    return [_as_openai_call(call) for call in calls] if isinstance(calls, list) else calls


def _as_openai_call(call: object) -> object:
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        return call
    if not isinstance(function.get("name"), str):
        return call
    arguments = function.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    named = {"name": function["name"], "arguments": text}
    if function is call:
        others = {name: value for name, value in call.items() if name not in named}
    else:
        others, named = {**call}, {**function, **named}
    return {**others, "id": call.get("id") or "", "type": "function", "function": named}


Calls = Annotated[
    Annotated[list[ToolCall], _MANY_CALLS] | None,
    BeforeValidator(
        _as_openai_calls,
        json_schema_input_type=Annotated[list[ToolCall | BareCall], _MANY_CALLS] | None,
    ),
    does("an assistant's calls, in OpenAI's shape or Workers AI's"),
]


class WorkersToolFields(ToolFields):
    """Tools may be flat, `{name, description, parameters}`; functions may be `{name, code}`."""

    @field_validator(
        "tools",
        mode="before",
        json_schema_input_type=Annotated[list[FunctionDefinition | FunctionTool], _MANY] | None,
    )
    @classmethod
    def _wrap_flat_tools(cls, tools: object) -> object:
        return [_wrapped(tool) for tool in tools] if isinstance(tools, list) else tools

    @field_validator(
        "functions",
        mode="before",
        json_schema_input_type=Annotated[list[CodeFunction | FunctionDefinition], _MANY] | None,
    )
    @classmethod
    def _describe_by_code(cls, functions: object) -> object:
        return (
            [_described(each) for each in functions] if isinstance(functions, list) else functions
        )
