"""A neutral prompt in the shape that chat templates read, which is OpenAI's. Knows no template."""

from collections.abc import Mapping
from typing import Any

from model_loader.conversation import Conversation
from server.question import ChatMessage, ChatPrompt, PastCall
from server.tools import Tool


def conversation_of(prompt: ChatPrompt, options: Mapping[str, Any]) -> Conversation:
    """`options` are those of the prompt that the template knows."""
    return Conversation(
        messages=[_message_view(message) for message in prompt.messages],
        tools=[_tool_view(tool) for tool in prompt.toolbox.tools] or None,
        documents=list(prompt.documents) or None,
        add_generation_prompt=prompt.adds_generation_prompt,
        continue_final_message=prompt.continues_final_message,
        options=options,
    )


def num_characters(value: Any) -> int:
    """Characters of all texts and keys in a JSON value: its rendering has at least as many."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(num_characters, (*value.keys(), *value.values())))
    return sum(map(num_characters, value)) if isinstance(value, list | tuple) else 0


def _message_view(message: ChatMessage) -> dict[str, Any]:
    content = message.content
    view: dict[str, Any] = {
        "role": message.role,
        "content": content
        if isinstance(content, str)
        else [{"type": "text", "text": text} for text in content],
    }
    if message.tool_calls:
        view["tool_calls"] = [_call_view(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        view["tool_call_id"] = message.tool_call_id
    return view


def _call_view(call: PastCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def _tool_view(tool: Tool) -> dict[str, Any]:
    """In a steady order of keys, so that the same tools always make the same prompt."""
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    return {"type": "function", "function": function}
