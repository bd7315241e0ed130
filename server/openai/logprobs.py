"""Log-probabilities in OpenAI's two shapes: that of chat, and that of the older completions."""

import math
from collections.abc import Sequence
from typing import Any

from model_loader.tokenizer import Tokenizer
from server.text_stream import PlacedToken

LEAST_LOGPROB = -9999.0
"""What OpenAI writes for a token that is next to impossible; JSON has no minus infinity."""


def chat_logprobs(tokens: Sequence[PlacedToken], tokenizer: Tokenizer) -> dict[str, Any]:
    """`ChoiceLogprobs`: one entry for each token of the text beside it."""
    content = []
    for token in tokens:
        event = token.event
        entry = _chat_entry(event.token_id, event.logprob, tokenizer)
        entry["top_logprobs"] = [
            _chat_entry(other.token_id, other.logprob, tokenizer) for other in event.top_logprobs
        ]
        content.append(entry)
    return {"content": content, "refusal": None}


def completion_logprobs(tokens: Sequence[PlacedToken], tokenizer: Tokenizer) -> dict[str, Any]:
    """`Logprobs`: four lists, each with one entry for each token of the text beside them."""
    events = [token.event for token in tokens]
    return {
        "text_offset": [token.start for token in tokens],
        "token_logprobs": [_finite(event.logprob) for event in events],
        "tokens": [_completion_token(event.token_id, tokenizer) for event in events],
        "top_logprobs": [
            {
                _completion_token(other.token_id, tokenizer): _finite(other.logprob)
                for other in event.top_logprobs
            }
            for event in events
        ],
    }


def _chat_entry(token_id: int, logprob: float | None, tokenizer: Tokenizer) -> dict[str, Any]:
    raw = tokenizer.token_bytes(token_id)
    return {
        "token": raw.decode("utf-8", errors="replace"),
        "logprob": _finite(logprob),
        "bytes": list(raw),
    }


def _completion_token(token_id: int, tokenizer: Tokenizer) -> str:
    """The token's text; for half characters `bytes:\\xe6\\xbc`, so that tokens stay apart."""
    raw = tokenizer.token_bytes(token_id)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)


def _finite(logprob: float | None) -> float:
    """Also for NaN, which compares as false: an engine fault must not make the JSON invalid."""
    if logprob is not None and LEAST_LOGPROB < logprob < math.inf:
        return logprob
    return LEAST_LOGPROB
