"""What surrounds the content of a reply: Anthropic's `Message` and its `usage`."""

import secrets
from dataclasses import dataclass
from typing import Any

from server.events import ChoiceFinished, EndReason, Usage

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHead:
    """`max_tokens` is what was asked for. With `tells_edits` the reply says what was cleared of
    the prompt, which is nothing.
    """

    id: str
    model: str
    max_tokens: int
    tells_edits: bool

    @staticmethod
    def new_id() -> str:
        return f"msg_{secrets.token_hex(12)}"

    def message(self, content: list[Json], end: Json, usage: Usage) -> Json:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            **end,
            "diagnostics": None,
            "usage": {
                **counts(usage),
                "cache_creation": None,
                "inference_geo": None,
                "service_tier": "standard",
                "speed": None,
            },
        }

    @property
    def edits(self) -> Json:
        return {"context_management": {"applied_edits": []}} if self.tells_edits else {}


def counts(usage: Usage) -> Json:
    """`input_tokens` are those that had to be computed: without those that were cached."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"thinking_tokens": 0},
        "server_tool_use": None,
    }


def end_fields(reason: str | None = None, stop_sequence: str | None = None) -> Json:
    """Why the reply ended; all null before it has."""
    return {
        "stop_reason": reason,
        "stop_sequence": stop_sequence,
        "stop_details": None,
        "container": None,
    }


def stop_reason(event: ChoiceFinished, usage: Usage, max_tokens: int) -> str:
    if event.reason is EndReason.TOOL_CALLS:
        return "tool_use"
    if event.reason is EndReason.LENGTH:
        is_cut_by_client = usage.completion_tokens >= max_tokens
        return "max_tokens" if is_cut_by_client else "model_context_window_exceeded"
    return "end_turn" if event.stop_string is None else "stop_sequence"
