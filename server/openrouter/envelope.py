"""What surrounds the choices in OpenRouter's replies: its own ids, the provider, and the cost."""

import secrets
import string
from typing import Any

from server.errors import ErrorReply
from server.openai.envelope import PricedIdentity
from server.openrouter.errors import error_fields
from server.version import PROGRAM

_ID_LETTERS = string.ascii_letters + string.digits
_ID_LENGTH = 20


class GenerationIdentity(PricedIdentity):
    """As OpenAI's, with more keys. Streams always end with the counts."""

    keep_alive = "OPENROUTER PROCESSING"
    always_counts = True
    nulls_usage = False  # its JavaScript client takes no null

    @staticmethod
    def new_id(_: str, created: int) -> str:
        """All replies are generations, whatever their prefix elsewhere."""
        letters = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
        return f"gen-{created}-{letters}"

    @property
    def headers(self) -> dict[str, str]:
        return {"x-generation-id": self.id}

    def envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        written = [{**c, "native_finish_reason": c["finish_reason"]} for c in choices]
        return {**super().envelope(kind, written), "provider": PROGRAM}

    def error(self, reply: ErrorReply) -> dict[str, Any]:
        """A last chunk that also finishes the choice, as clients wait for that."""
        choice = {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": None,
            "finish_reason": "error",
        }
        return {**self.envelope("chat.completion.chunk", [choice]), "error": error_fields(reply)}
