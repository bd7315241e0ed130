"""What a chat template is given, in the shape of the OpenAI messages. Knows no template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernels.errors import GraniteError


class InvalidConversation(GraniteError):
    """The chat template has no text for these messages, tools or documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """JSON values; every string and every key in them is untrusted text.

    `add_generation_prompt` ends the prompt with the opening of the assistant's turn. With
    `continue_final_message` the prompt ends with the content of the last message, so that what
    follows belongs to it. `options` are further variables of the template.
    """

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None = None
    documents: Sequence[Mapping[str, Any]] | None = None
    add_generation_prompt: bool = True
    continue_final_message: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
