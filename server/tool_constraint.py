"""What a question's tools demand of the form of its replies. Knows no dialect and no grammar."""

import json

from server.constraints import (
    CallableFunction,
    Constraint,
    TextForm,
    ToolCalls,
)
from server.errors import BadRequest
from server.schema_text import schema_text
from server.tools import Tool, Toolbox, ToolMode

NO_ARGUMENTS = json.dumps({"type": "object", "properties": {}, "additionalProperties": False})


def constraint_of(toolbox: Toolbox, content: TextForm | None) -> Constraint | None:
    """The calls that are possible, and the text: of the form of `content`, if that is given.

    Where the model may do as it likes, nothing is demanded: a reply is then not slowed down.

    Raises:
        BadRequest: the parameters of a tool that has to be followed are not those of an object.
    """
    if not toolbox.may_be_called:
        return content
    choice = toolbox.choice
    tools = [tool for tool in toolbox.tools if not choice.names or tool.name in choice.names]
    is_required = choice.mode in (ToolMode.REQUIRED, ToolMode.NAMED)
    is_free = not (is_required or choice.names or any(tool.strict for tool in tools))
    if is_free and content is None:
        return None
    return ToolCalls(
        functions=tuple(map(_callable, tools)),
        is_required=is_required,
        may_repeat=choice.parallel,
        content=None if is_required else content,
    )


def _callable(tool: Tool) -> CallableFunction:
    return CallableFunction(tool.name, _parameters(tool), tool.strict)


def _parameters(tool: Tool) -> str:
    """The schema as text. Without one there are no arguments, as OpenAI has it."""
    if tool.parameters is None:
        return NO_ARGUMENTS
    if tool.parameters.get("type", "object") != "object":
        message = f"tools: the parameters of {tool.name!r} must be of type 'object'"
        raise BadRequest(message, "tools")
    return schema_text({**tool.parameters, "type": "object"}, "tools")
