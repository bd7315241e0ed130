"""What a reply looks like: Workers AI's own keys, and OpenAI's choice beside them.

Models of Workers AI have the one or the other; clients read what they know.
"""

import json
from typing import Any

from server.cloudflare.errors import JsonModeNotMet
from server.events import Usage
from server.folding import FoldedCall, FoldedChoice
from server.openai.call_format import CallFormat
from server.openai.envelope import Identity

_CALLS = CallFormat()


def usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def result_object(
    choice: FoldedChoice,
    usage: Usage,
    identity: Identity,
    model: str,
    *,
    is_chat: bool,
    wants_json: bool,
) -> dict[str, Any]:
    """Raises JsonModeNotMet if JSON was wanted, and the text is none."""
    calls = choice.tool_calls
    written = _chat_choice(choice) if is_chat else _completion_choice(choice)
    result = {
        "id": identity.id,
        "object": "chat.completion" if is_chat else "text_completion",
        "created": identity.created,
        "model": model,
        "choices": [written],
        "usage": usage_object(usage),
        "response": _response(choice, wants_json=wants_json),
    }
    if is_chat:
        result["prompt_logprobs"] = None
        result["tool_calls"] = [_flat(call) for call in calls]
    return result


def _response(choice: FoldedChoice, *, wants_json: bool) -> Any:
    """The text; in JSON mode the value that it is, unless there are calls instead."""
    if choice.tool_calls or not wants_json:
        return choice.text
    try:
        return json.loads(choice.text)
    except ValueError:
        raise JsonModeNotMet from None


def _chat_choice(choice: FoldedChoice) -> dict[str, Any]:
    calls = _CALLS.whole(choice)
    message = {
        "role": "assistant",
        "content": choice.text or None if calls else choice.text,
        "reasoning_content": None,
        "tool_calls": calls.get("tool_calls", []),
    }
    return {"index": 0, "message": message, **_ending(choice)}


def _completion_choice(choice: FoldedChoice) -> dict[str, Any]:
    return {"index": 0, "text": choice.text, **_ending(choice), "prompt_logprobs": None}


def _ending(choice: FoldedChoice) -> dict[str, Any]:
    reason = choice.reason and _CALLS.finish_reason(choice.reason)
    return {"finish_reason": reason, "stop_reason": None, "logprobs": None}


def _flat(call: FoldedCall) -> dict[str, Any]:
    return {"id": f"call_{call.id}", "name": call.name, "arguments": json.loads(call.arguments)}
