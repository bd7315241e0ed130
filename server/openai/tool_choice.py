"""`tool_choice`, and the older `function_call`: what of the tools the model may or must call."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from server.errors import BadRequest, shown
from server.json_shapes import NULL, STRING, Schema, always, either, list_of, one_of, record, told
from server.tools import Tool, ToolChoice, ToolMode

_UNSUPPORTED_KINDS = ("custom", "mcp", "web_search", "file_search", "code_interpreter")


def refuse_other_kinds(tool: object) -> object:
    kind = tool.get("type") if isinstance(tool, Mapping) else None
    if kind in _UNSUPPORTED_KINDS:
        raise PydanticCustomError(
            "unsupported_parameter",
            "the model calls functions, not tools of type {kind}",
            {"kind": kind},
        )
    return tool


def _as_choice(value: object) -> ToolChoice | None:
    """OpenAI's forms of `tool_choice`.

    Raises:
        PydanticCustomError: anything else.
    """
    if value is None:
        return None
    if value in ("auto", "none", "required"):
        return ToolChoice(mode=ToolMode(value))
    if isinstance(value, Mapping):
        refuse_other_kinds(value)
        if value.get("type") == "allowed_tools":
            return _as_allowed(value.get("allowed_tools"))
        if (name := _named(value)) is not None:
            return ToolChoice(mode=ToolMode.NAMED, names=(name,))
    raise PydanticCustomError(
        "tool_choice",
        "must be 'auto', 'none', 'required', an object of type 'function' with a function's name, "
        "or one of type 'allowed_tools'",
    )


def _as_allowed(allowed: object) -> ToolChoice:
    mode = allowed.get("mode") if isinstance(allowed, Mapping) else None
    tools = allowed.get("tools") if isinstance(allowed, Mapping) else None
    names = [_named(tool) for tool in tools] if isinstance(tools, list) else []
    known = tuple(name for name in names if name is not None)
    if mode not in ("auto", "required") or not known or len(known) < len(names):
        raise PydanticCustomError(
            "allowed_tools", "needs a mode, 'auto' or 'required', and tools of type 'function'"
        )
    return ToolChoice(mode=ToolMode(mode), names=known)


def _named(value: object) -> str | None:
    """The name in `{"type": "function", "function": {"name": ...}}`."""
    if not isinstance(value, Mapping) or value.get("type") != "function":
        return None
    function = value.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else None


def _as_function_call(value: object) -> ToolChoice | None:
    """The forms of the older `function_call`.

    Raises:
        PydanticCustomError: anything else.
    """
    if value is None:
        return None
    if value in ("auto", "none"):
        return ToolChoice(mode=ToolMode(value), parallel=False)
    name = value.get("name") if isinstance(value, Mapping) else None
    if not isinstance(name, str):
        raise PydanticCustomError(
            "function_call", "must be 'auto', 'none' or an object with a function's name"
        )
    return ToolChoice(mode=ToolMode.NAMED, names=(name,), parallel=False)


def some_of(tool: Schema) -> Schema:
    return told(list_of(tool, minItems=1), "which ones")


MODES = one_of("auto", "none", "required")
NAME = told(STRING, "that of a function among the tools")
FUNCTION = told(always("function"), "one function, which is to be called")
SOME_TOOLS = told(always("allowed_tools"), "some of the tools")
ALLOWED_MODE = told(one_of("auto", "required"), "whether one must be called")
_NAMED = record(name=NAME)
_NAMED_TOOL = record(type=FUNCTION, function=told(_NAMED, "which one"))
_ALLOWED = record(
    type=SOME_TOOLS,
    allowed_tools=told(record(mode=ALLOWED_MODE, tools=some_of(_NAMED_TOOL)), "what may be called"),
)

ChosenTool = Annotated[
    ToolChoice | None,
    PlainValidator(_as_choice),
    WithJsonSchema(either(MODES, _NAMED_TOOL, _ALLOWED, NULL)),
]
ChosenFunction = Annotated[
    ToolChoice | None,
    PlainValidator(_as_function_call),
    WithJsonSchema(either(one_of("auto", "none"), _NAMED, NULL)),
]


def check_tool_choice(
    tools: Sequence[Tool], choice: ToolChoice, tools_field: str, choice_field: str
) -> None:
    """Raises BadRequest for tools of one name, and for a choice of what is not among them."""
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        raise BadRequest(f"{tools_field}: two have the same name", tools_field)
    needs_tools = choice.names or choice.mode is ToolMode.REQUIRED
    if not names and needs_tools:
        raise BadRequest(f"{choice_field} needs {tools_field}", choice_field)
    for name in choice.names:
        if name not in names:
            raise BadRequest(
                f"{choice_field}: there is no {shown(name)!r} among {tools_field}", choice_field
            )
