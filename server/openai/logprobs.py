"""Log-probabilities in OpenAI's two shapes, chat's and completions', and prompts' in vLLM's."""

import math
from collections.abc import Sequence
from typing import Any

from engine.request import ScoredToken, TokenEvent
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
    """`Logprobs`: four lists, each with one entry for each token of the text beside them.

    The first token of an echoed prompt has null in two of them, as nothing predicted it.
    """
    events = [token.event for token in tokens]
    return {
        "text_offset": [token.start for token in tokens],
        "token_logprobs": [
            None if event.logprob is None else _finite(event.logprob) for event in events
        ],
        "tokens": [_completion_token(event.token_id, tokenizer) for event in events],
        "top_logprobs": [
            None if event.logprob is None else _completion_alternatives(event, tokenizer)
            for event in events
        ],
    }


def prompt_logprobs(
    scores: Sequence[ScoredToken], tokenizer: Tokenizer, num_alternatives: int
) -> list[dict[str, Any] | None]:
    """For each prompt token its own entry and those of the best ones, by id; null for the first."""
    return [None, *(_prompt_entries(score, tokenizer, num_alternatives) for score in scores)]


def _prompt_entries(
    score: ScoredToken, tokenizer: Tokenizer, num_alternatives: int
) -> dict[str, Any]:
    best = score.top_logprobs[:num_alternatives]
    ranked = [(other.token_id, other.logprob, rank) for rank, other in enumerate(best, start=1)]
    return {
        str(token_id): {
            "logprob": _finite(logprob),
            "rank": rank,
            "decoded_token": tokenizer.decode([token_id], skip_special=False),
        }
        for token_id, logprob, rank in ((score.token_id, score.logprob, score.rank), *ranked)
    }


def _completion_alternatives(event: TokenEvent, tokenizer: Tokenizer) -> dict[str, float]:
    return {
        _completion_token(other.token_id, tokenizer): _finite(other.logprob)
        for other in event.top_logprobs
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
