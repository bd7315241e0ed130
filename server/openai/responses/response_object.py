"""A response as clients see it: OpenAI's `Response`, in each of its states."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from server.errors import ErrorReply
from server.events import Usage
from server.openai.responses.create_request import CreateResponse
from server.openai.responses.text_fields import text_object
from server.openai.responses.tool_fields import choice_object, tool_object
from server.pricing import Prices

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHead:
    """What is certain of a response from its beginning. `created_at` is in seconds since 1970.

    `prices` are for relatives whose counts tell the cost.
    """

    key: str
    created_at: int
    model: str
    asked: CreateResponse
    is_stored: bool
    prices: Prices

    @classmethod
    def new(cls, asked: CreateResponse, model: str, prices: Prices, *, is_stored: bool) -> Self:
        return cls(
            key=secrets.token_hex(16),
            created_at=int(time.time()),
            model=model,
            asked=asked,
            is_stored=is_stored,
            prices=prices,
        )

    @property
    def id(self) -> str:
        return f"resp_{self.key}"

    def item_id(self, prefix: str, index: int) -> str:
        """Item ids name their response, so that an item can be found by its id alone."""
        return f"{prefix}_{self.key}_{index}"

    def document(
        self,
        status: str,
        output: Sequence[Json] = (),
        *,
        usage: Usage | None = None,
        error: Json | None = None,
        incomplete_reason: str | None = None,
    ) -> Json:
        details = None if incomplete_reason is None else {"reason": incomplete_reason}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "error": error,
            "incomplete_details": details,
            "model": self.model,
            "output": list(output),
            "usage": None if usage is None else self.usage(usage),
            **self.repeated(),
        }

    def usage(self, usage: Usage) -> Json:
        """OpenAI's `ResponseUsage`. Nothing is hidden reasoning, and writing a cache is free."""
        return {
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": usage.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        }

    def repeated(self) -> Json:
        """What was asked, with the defaults filled in."""
        asked = self.asked
        return {
            "background": bool(asked.background),
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "max_tool_calls": asked.max_tool_calls,
            "metadata": asked.metadata or {},
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "previous_response_id": asked.previous_response_id,
            "prompt_cache_key": asked.prompt_cache_key,
            "reasoning": {"effort": None, "summary": None},
            "safety_identifier": asked.safety_identifier,
            "service_tier": "default",
            "store": self.is_stored,
            "temperature": 1.0 if asked.temperature is None else asked.temperature,
            "text": text_object(asked.text),
            "tool_choice": choice_object(asked.tool_choice),
            "tools": [tool_object(tool) for tool in asked.functions],
            "top_logprobs": asked.top_logprobs or 0,
            "top_p": 1.0 if asked.top_p is None else asked.top_p,
            "truncation": asked.truncation or "disabled",
            "user": asked.user,
        }


def response_id_of(item_id: str) -> str | None:
    """The response that an item with an id of ours belongs to; None for other ids."""
    _, _, rest = item_id.partition("_")
    key, separator, _ = rest.partition("_")
    return f"resp_{key}" if separator and len(key) == 32 else None


def error_object(error: ErrorReply) -> Json:
    """OpenAI's `ResponseError`, which has fewer codes than errors that are replies."""
    codes = {400: "invalid_prompt", 429: "rate_limit_exceeded"}
    return {
        "code": codes.get(error.status, "server_error"),
        "message": error.body["error"]["message"],
    }
