"""What surrounds the choices in every OpenAI reply: identity and usage."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

from engine.interface import EngineInfo
from server.events import Usage
from server.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The same in every chunk of a reply. `created` is in seconds since 1970."""

    id: str
    created: int
    model: str
    system_fingerprint: str

    @classmethod
    def new(cls, prefix: str, model: str, info: EngineInfo) -> "Identity":
        return cls(
            id=f"{prefix}-{secrets.token_hex(16)}",
            created=int(time.time()),
            model=model,
            system_fingerprint=system_fingerprint(model, info),
        )

    def envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """A body or a chunk of the given object type, without usage."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.system_fingerprint,
            "choices": choices,
        }

    def usage(self, usage: Usage) -> dict[str, Any]:
        """OpenAI's `CompletionUsage`. No token is hidden reasoning or audio."""
        return {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


def system_fingerprint(model: str, info: EngineInfo) -> str:
    """Differs where the same seed may give different tokens: other program, model or precision."""
    computing = (VERSION, model, info.dtype, info.device, info.num_parameters, info.vocab_size)
    return "fp_" + hashlib.sha256(repr(computing).encode()).hexdigest()[:10]
