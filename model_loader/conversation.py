"""What a chat template is given, in the shape of the OpenAI messages. Knows no template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels.errors import GraniteError


class InvalidConversation(GraniteError):
    """The chat template has no text for these messages, tools or documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """JSON values; every string and every key in them is untrusted text.

    `add_generation_prompt` ends the prompt with the opening of the assistant's turn.
    """

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None = None
    documents: Sequence[Mapping[str, Any]] | None = None
    add_generation_prompt: bool = True
