"""From the items of a conversation, as they are kept, to the turns that the model reads."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from server.question import ChatMessage, PastCall, Role

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",  # today's name for it
    "user": "user",
    "assistant": "assistant",
}


def chat_messages(items: Iterable[dict[str, Any]], instructions: str | None) -> list[ChatMessage]:
    """One message an item, but a turn's text and calls together, and no reasoning."""
    messages: list[ChatMessage] = []
    if instructions:
        messages.append(ChatMessage(role="system", content=instructions))
    for item in items:
        match item["type"]:
            case "message":
                content = _content([part["text"] for part in item["content"]])
                messages.append(ChatMessage(role=_ROLES[item["role"]], content=content))
            case "function_call":
                _add_call(messages, item)
            case "function_call_output":
                messages.append(_call_output(item))
    return messages


def _content(texts: Sequence[str]) -> str | tuple[str, ...]:
    return texts[0] if len(texts) == 1 else tuple(texts)


def _add_call(messages: list[ChatMessage], item: dict[str, Any]) -> None:
    call = PastCall(id=item["call_id"], name=item["name"], arguments=item["arguments"])
    if messages and messages[-1].role == "assistant":
        messages[-1] = replace(messages[-1], tool_calls=(*messages[-1].tool_calls, call))
    else:
        messages.append(ChatMessage(role="assistant", tool_calls=(call,)))


def _call_output(item: dict[str, Any]) -> ChatMessage:
    output = item["output"]
    content = output if isinstance(output, str) else _content([part["text"] for part in output])
    return ChatMessage(role="tool", content=content, tool_call_id=item["call_id"])
