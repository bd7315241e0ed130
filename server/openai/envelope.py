"""What surrounds the choices in every OpenAI reply: identity and usage."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from engine.interface import EngineInfo
from server.errors import ErrorReply
from server.events import Usage
from server.openai.cost_fields import cost_fields
from server.pricing import Prices
from server.prompt import loaded_info
from server.services import Services
from server.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The same in every chunk of a reply. `created` is in seconds since 1970."""

    id: str
    created: int
    model: str
    system_fingerprint: str
    prices: Prices

    keep_alive: ClassVar[str] = "keep-alive"
    always_counts: ClassVar[bool] = False
    """Whether a stream ends with usage without being asked."""
    nulls_usage: ClassVar[bool] = True
    """Whether the chunks before the usage say that they have none."""

    @classmethod
    def new(cls, prefix: str, services: Services) -> Self:
        """Raises EngineUnavailable while the first load has not finished."""
        model, created = services.model_names[0], int(time.time())
        return cls(
            id=cls.new_id(prefix, created),
            created=created,
            model=model,
            system_fingerprint=system_fingerprint(model, loaded_info(services.engine)),
            prices=Prices.of(services.settings),
        )

    @staticmethod
    def new_id(prefix: str, created: int) -> str:  # relatives use `created`
        return f"{prefix}-{secrets.token_hex(16)}"

    @property
    def headers(self) -> dict[str, str]:
        """Those of the response."""
        return {}

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

    def error(self, reply: ErrorReply) -> dict[str, Any]:
        """The last event of a stream that failed."""
        return reply.body


class PricedIdentity(Identity):
    """For callers who want to know the cost: usage tells it, in dollars."""

    def usage(self, usage: Usage) -> dict[str, Any]:
        costs = cost_fields(self.prices, usage, "prompt", "completions")
        return {**super().usage(usage), **costs}


def system_fingerprint(model: str, info: EngineInfo) -> str:
    """Differs where the same seed may give different tokens: other program, model or precision."""
    computing = (VERSION, model, info.dtype, info.device, info.num_parameters, info.vocab_size)
    return "fp_" + hashlib.sha256(repr(computing).encode()).hexdigest()[:10]
