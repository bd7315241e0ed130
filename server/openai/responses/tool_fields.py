"""`tools` and `tool_choice` in the shape of the Responses API, and what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, PlainValidator, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from server.field_notes import does
from server.json_shapes import NULL, either, record
from server.openai.request_model import RequestModel
from server.openai.tool_choice import (
    ALLOWED_MODE,
    FUNCTION,
    MODES,
    NAME,
    SOME_TOOLS,
    check_tool_choice,
    some_of,
)
from server.openai.tools import MAX_TOOLS, FunctionDefinition
from server.tools import Toolbox, ToolChoice, ToolMode


class ResponseFunction(FunctionDefinition):
    type: Annotated[Literal["function"], does("a function, which the model may call")]


class OtherTool(RequestModel):
    """A tool that runs at OpenAI or in the client. The model is not told of it."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[str, does("any other kind is named in `x-ignored-fields`")]


def _tag(tool: object) -> str | None:
    """Clients such as Codex send tools of other kinds along, and would stop at a refusal."""
    kind = tool.get("type") if isinstance(tool, Mapping) else getattr(tool, "type", None)
    if not isinstance(kind, str):
        return None
    return "<function>" if kind == "function" else "<other>"


def _as_choice(value: object) -> ToolChoice | None:
    """Raises PydanticCustomError for anything but the forms of the Responses API."""
    if value is None:
        return None
    if value in ("auto", "none", "required"):
        return ToolChoice(mode=ToolMode(value))
    if isinstance(value, Mapping):
        mode = value.get("mode")
        if value.get("type") == "function" and isinstance(value.get("name"), str):
            return ToolChoice(mode=ToolMode.NAMED, names=(value["name"],))
        if value.get("type") == "allowed_tools" and mode in ("auto", "required"):
            return ToolChoice(mode=ToolMode(mode), names=_names(value.get("tools")))
    raise PydanticCustomError(
        "tool_choice",
        "must be 'auto', 'none', 'required', an object of type 'function' with a name, or one of "
        "type 'allowed_tools' with a mode and tools",
    )


def _names(tools: object) -> tuple[str, ...]:
    listed = tools if isinstance(tools, list) and tools else [None]
    names = [
        tool.get("name") if isinstance(tool, Mapping) and tool.get("type") == "function" else None
        for tool in listed
    ]
    if not all(isinstance(name, str) for name in names):
        raise PydanticCustomError("allowed_tools", "allowed_tools needs tools of type 'function'")
    return tuple(str(name) for name in names)


_NAMED_TOOL = record(type=FUNCTION, name=NAME)
_ALLOWED = record(type=SOME_TOOLS, mode=ALLOWED_MODE, tools=some_of(_NAMED_TOOL))
CHOICE_SCHEMA = either(MODES, _NAMED_TOOL, _ALLOWED, NULL)

ResponseTool = Annotated[
    Annotated[ResponseFunction, Tag("<function>")] | Annotated[OtherTool, Tag("<other>")],
    Discriminator(
        _tag, custom_error_type="tool", custom_error_message="a tool must be an object with a type"
    ),
]


class ResponseToolFields(RequestModel):
    tools: Annotated[
        list[ResponseTool] | None,
        Field(max_length=MAX_TOOLS),
        does("functions, each with another name; the model is not told of other kinds"),
    ] = None
    tool_choice: Annotated[
        ToolChoice | None,
        PlainValidator(_as_choice),
        WithJsonSchema(CHOICE_SCHEMA),
        does(
            "whether and what to call; as an object, a function by name or `allowed_tools`",
            default="auto",
        ),
    ] = None
    parallel_tool_calls: Annotated[
        bool | None, does("with `false` the reply ends with its first call", default=True)
    ] = None

    @property
    def functions(self) -> Sequence[ResponseFunction]:
        return [tool for tool in self.tools or () if isinstance(tool, ResponseFunction)]

    def unknown_fields(self) -> list[str]:
        """Tools that the model is not told of count as such."""
        others = [
            f"tools[{index}]"
            for index, tool in enumerate(self.tools or ())
            if isinstance(tool, OtherTool)
        ]
        return [*super().unknown_fields(), *others]

    def toolbox(self) -> Toolbox:
        """Raises BadRequest for fields that do not go together."""
        tools = tuple(function.neutral() for function in self.functions)
        choice = self.tool_choice or ToolChoice()
        check_tool_choice(tools, choice, "tools", "tool_choice")
        is_parallel = self.parallel_tool_calls is not False and choice.mode is not ToolMode.NAMED
        return Toolbox(tools=tools, choice=replace(choice, parallel=is_parallel))


def tool_object(tool: ResponseFunction) -> dict[str, Any]:
    """OpenAI's `ResponseFunction`, as a response repeats it."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": bool(tool.strict),
    }


def choice_object(choice: ToolChoice | None) -> str | dict[str, Any]:
    """`tool_choice` as a response repeats it."""
    if choice is None:
        return "auto"
    if choice.mode is ToolMode.NAMED:
        return {"type": "function", "name": choice.names[0]}
    if choice.names:
        tools = [{"type": "function", "name": name} for name in choice.names]
        return {"type": "allowed_tools", "mode": choice.mode.value, "tools": tools}
    return choice.mode.value
