"""The fields about tools, and what they mean."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from server.anthropic.content_blocks import MAX_KIND_LENGTH, CacheControl, OwnCache
from server.errors import BadRequest
from server.field_notes import does
from server.openai.request_model import RequestModel
from server.openai.tool_choice import check_tool_choice
from server.tools import Tool, Toolbox, ToolChoice, ToolMode

MAX_TOOLS = 1024
MAX_EXAMPLES = 64

ToolName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]

_MODES = {
    "auto": ToolMode.AUTO,
    "any": ToolMode.REQUIRED,
    "tool": ToolMode.NAMED,
    "none": ToolMode.NONE,
}


def _refuse_other_kinds(tool: object) -> object:
    """Tools with a type of their own run at Anthropic, or have schemas that its models know."""
    kind = tool.get("type") if isinstance(tool, Mapping) else None
    if isinstance(kind, str) and kind != "custom":
        raise PydanticCustomError(
            "unsupported_parameter",
            "tools of type '{kind}' are not supported, only tools with an input_schema",
            {"kind": kind[:MAX_KIND_LENGTH]},
        )
    return tool


def _refuse_indirect_callers(callers: object) -> object:
    if isinstance(callers, list) and "direct" not in callers:
        raise PydanticCustomError(
            "unsupported_parameter", "tools are called by the model itself: 'direct'"
        )
    return callers


class CustomTool(RequestModel):
    """`strict` and the defaults are as in the neutral form; examples become part of the schema.

    With `eager_input_streaming` the input of a call is streamed as it is written, before it is
    known to be well-formed. With `defer_loading` the model sees the tool only once a result of an
    earlier call refers to it.
    """

    type: Annotated[
        Literal["custom"] | None, does("may be left out; other types are refused", default="custom")
    ] = None
    name: Annotated[ToolName, does("what the model calls it")]
    description: Annotated[str | None, does("shown to the model")] = None
    input_schema: Annotated[dict[str, Any], does("shown to the model")]
    strict: Annotated[
        bool | None, does("the input of a call certainly follows the schema", default=False)
    ] = None
    input_examples: Annotated[
        list[dict[str, Any]] | None,
        Field(max_length=MAX_EXAMPLES),
        does("become `examples` of the schema"),
    ] = None
    eager_input_streaming: Annotated[
        bool | None,
        does(
            "the input is streamed as it is written, before it is known to be well-formed",
            otherwise="`false`, or as `anthropic-beta` says",
        ),
    ] = None
    defer_loading: Annotated[
        bool | None, does("shown once a `tool_reference` names it", default=False)
    ] = None
    allowed_callers: Annotated[
        list[str] | None, BeforeValidator(_refuse_indirect_callers), does("must have `direct`")
    ] = None
    cache_control: Annotated[CacheControl | None, OwnCache] = None

    def neutral(self) -> Tool:
        examples = {"examples": self.input_examples} if self.input_examples else {}
        return Tool(
            name=self.name,
            description=self.description,
            parameters={**self.input_schema, **examples},
            strict=bool(self.strict),
        )


class ToolChoiceField(RequestModel):
    type: Annotated[
        Literal["auto", "any", "tool", "none"], does("whether a tool may or must be called")
    ]
    name: Annotated[
        str | None, does("with `tool`: which one, once", otherwise="none; required with `tool`")
    ] = None
    disable_parallel_tool_use: Annotated[bool | None, does("at most one call", default=False)] = (
        None
    )

    def neutral(self) -> ToolChoice:
        """Raises BadRequest for a tool without its name."""
        mode = _MODES[self.type]
        if mode is ToolMode.NAMED and self.name is None:
            raise BadRequest("tool_choice of type tool needs a name", "tool_choice.name")
        is_parallel = not self.disable_parallel_tool_use and mode is not ToolMode.NAMED
        names = (self.name,) if mode is ToolMode.NAMED and self.name is not None else ()
        return ToolChoice(mode=mode, names=names, parallel=is_parallel)


class ToolFields(RequestModel):
    tools: Annotated[
        list[Annotated[CustomTool, BeforeValidator(_refuse_other_kinds)]] | None,
        Field(max_length=MAX_TOOLS),
        does("what the model may call"),
    ] = None
    tool_choice: Annotated[
        ToolChoiceField | None, does("whether and what to call", otherwise="`auto`")
    ] = None

    def toolbox(self, referenced: Collection[str]) -> Toolbox:
        """`referenced` are the tools that need not be deferred any more.

        Raises:
            BadRequest: the fields do not go together.
        """
        tools = tuple(
            tool.neutral()
            for tool in self.tools or ()
            if not tool.defer_loading or tool.name in referenced
        )
        choice = ToolChoice() if self.tool_choice is None else self.tool_choice.neutral()
        check_tool_choice(tools, choice, "tools", "tool_choice")
        return Toolbox(tools=tools, choice=choice)

    def eager_tools(self, *, by_default: bool) -> frozenset[str]:
        """The tools whose input is streamed as it is written."""
        return frozenset(
            tool.name
            for tool in self.tools or ()
            if (by_default if tool.eager_input_streaming is None else tool.eager_input_streaming)
        )
