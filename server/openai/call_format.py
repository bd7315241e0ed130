"""How tool calls are written in chat: as `tool_calls`, or as the older `function_call`."""

from dataclasses import dataclass
from typing import Any

from server.events import EndReason, ToolCallArguments, ToolCallStarted
from server.folding import FoldedCall, FoldedChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFormat:
    """`is_named`: the caller decided which tool is called, which OpenAI does not call a reason."""

    is_older_form: bool = False
    is_named: bool = False

    def started(self, event: ToolCallStarted) -> dict[str, Any]:
        """The delta that announces a call. Only it has id and name."""
        function = {"name": event.name, "arguments": ""}
        if self.is_older_form:
            return {"function_call": function}
        announced = {"index": event.index, **_identity(event.id), "function": function}
        return {"tool_calls": [announced]}

    def arguments(self, event: ToolCallArguments) -> dict[str, Any]:
        function = {"arguments": event.text}
        if self.is_older_form:
            return {"function_call": function}
        return {"tool_calls": [{"index": event.index, "function": function}]}

    def whole(self, choice: FoldedChoice) -> dict[str, Any]:
        """What a message has beside its content."""
        calls = choice.tool_calls
        if not calls:
            return {}
        if self.is_older_form:
            return {"function_call": _function(calls[0])}
        return {
            "tool_calls": [{**_identity(call.id), "function": _function(call)} for call in calls]
        }

    def finish_reason(self, reason: EndReason) -> str:
        if reason is not EndReason.TOOL_CALLS:
            return reason.value
        if self.is_named:
            return "stop"
        return "function_call" if self.is_older_form else "tool_calls"


def _identity(call_id: str) -> dict[str, str]:
    return {"id": f"call_{call_id}", "type": "function"}


def _function(call: FoldedCall) -> dict[str, str]:
    return {"name": call.name, "arguments": call.arguments}
