"""The fields of a chat request about tools, `functions` among them, and what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

from server.errors import BadRequest, shown
from server.openai.request_model import RequestModel
from server.tools import Tool, Toolbox, ToolChoice, ToolMode

MAX_TOOLS = 128
_UNSUPPORTED_KINDS = ("custom", "mcp", "web_search", "file_search", "code_interpreter")

FunctionName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class FunctionDefinition(RequestModel):
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def neutral(self) -> Tool:
        return Tool(
            name=self.name,
            description=self.description,
            parameters=self.parameters,
            strict=bool(self.strict),
        )


def _refuse_other_kinds(tool: object) -> object:
    kind = tool.get("type") if isinstance(tool, Mapping) else None
    if kind in _UNSUPPORTED_KINDS:
        raise PydanticCustomError(
            "unsupported_parameter",
            "the model calls functions, not tools of type {kind}",
            {"kind": kind},
        )
    return tool


class FunctionTool(RequestModel):
    type: Literal["function"]
    function: FunctionDefinition


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
        _refuse_other_kinds(value)
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


class ToolFields(RequestModel):
    """`functions` and `function_call` are the names of an older form, with one call a reply."""

    tools: list[Annotated[FunctionTool, BeforeValidator(_refuse_other_kinds)]] | None = Field(
        None, max_length=MAX_TOOLS
    )
    tool_choice: Annotated[ToolChoice | None, PlainValidator(_as_choice)] = None
    parallel_tool_calls: bool | None = None
    functions: list[FunctionDefinition] | None = Field(None, max_length=MAX_TOOLS)
    function_call: Annotated[ToolChoice | None, PlainValidator(_as_function_call)] = None

    def unknown_fields(self) -> list[str]:
        tools = self.tools or ()
        unknown = [f"tools[].{name}" for tool in tools for name in tool.unknown_fields()]
        functions = [tool.function for tool in tools]
        unknown += [
            f"tools[].function.{name}" for each in functions for name in each.unknown_fields()
        ]
        unknown += [
            f"functions[].{name}" for each in self.functions or () for name in each.unknown_fields()
        ]
        return [*super().unknown_fields(), *dict.fromkeys(unknown)]

    @property
    def is_older_form(self) -> bool:
        return bool(self.functions)

    def toolbox(self) -> Toolbox:
        """Raises BadRequest for fields that do not go together."""
        if self.functions:
            return self._older_toolbox(self.functions)
        tools = tuple(tool.function.neutral() for tool in self.tools or ())
        choice = self.tool_choice or ToolChoice()
        check_tool_choice(tools, choice, "tools", "tool_choice")
        if self.function_call is not None:
            check_tool_choice((), self.function_call, "functions", "function_call")
        is_parallel = self.parallel_tool_calls is not False and choice.mode is not ToolMode.NAMED
        return Toolbox(tools=tools, choice=replace(choice, parallel=is_parallel))

    def _older_toolbox(self, functions: Sequence[FunctionDefinition]) -> Toolbox:
        if self.tools or self.tool_choice is not None:
            raise BadRequest("give tools or functions (their older form), not both", "functions")
        tools = tuple(function.neutral() for function in functions)
        choice = self.function_call or ToolChoice(parallel=False)
        check_tool_choice(tools, choice, "functions", "function_call")
        return Toolbox(tools=tools, choice=choice)


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
