"""The fields of a chat request about tools, `functions` among them, and what they mean."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from server.errors import BadRequest
from server.field_notes import does
from server.openai.request_model import RequestModel
from server.openai.tool_choice import (
    ChosenFunction,
    ChosenTool,
    check_tool_choice,
    refuse_other_kinds,
)
from server.tools import Tool, Toolbox, ToolChoice, ToolMode

MAX_TOOLS = 128

FunctionName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class FunctionDefinition(RequestModel):
    name: Annotated[FunctionName, does("what the model calls it")]
    description: Annotated[str | None, does("shown to the model")] = None
    parameters: Annotated[
        dict[str, Any] | None,
        does("a JSON schema of type `object`, shown to the model", otherwise="no parameters"),
    ] = None
    strict: Annotated[
        bool | None, does("a grammar holds all calls to the schemas", default=False)
    ] = None

    def neutral(self) -> Tool:
        return Tool(
            name=self.name,
            description=self.description,
            parameters=self.parameters,
            strict=bool(self.strict),
        )


class FunctionTool(RequestModel):
    type: Annotated[Literal["function"], does("the only kind")]
    function: Annotated[FunctionDefinition, does("what the model may call")]


class ToolFields(RequestModel):
    """`functions` and `function_call` are the names of an older form, with one call a reply."""

    tools: Annotated[
        list[Annotated[FunctionTool, BeforeValidator(refuse_other_kinds)]] | None,
        Field(max_length=MAX_TOOLS),
        does("functions, each with another name; OpenAI's other kinds of tools are refused"),
    ] = None
    tool_choice: Annotated[
        ChosenTool,
        does(
            "whether and what to call; as an object, a function by name or `allowed_tools`",
            default="auto",
        ),
    ] = None
    parallel_tool_calls: Annotated[
        bool | None,
        does("with `false` the reply ends with its first call, as with `functions`", default=True),
    ] = None
    functions: Annotated[
        list[FunctionDefinition] | None,
        Field(max_length=MAX_TOOLS),
        does("OpenAI's older form of `tools`, with one call a reply; not beside `tools`"),
    ] = None
    function_call: Annotated[
        ChosenFunction,
        does("the older form of `tool_choice`; a function by name", default="auto"),
    ] = None

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
            if self.tools:
                raise BadRequest("function_call goes with functions, not tools", "function_call")
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
