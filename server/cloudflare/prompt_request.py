"""The prompt form of a text generation request."""

from typing import Annotated, ClassVar

from pydantic import Field

from server.cloudflare.generation_fields import GenerationFields
from server.field_notes import does
from server.question import ChatMessage, ChatPrompt, Prompt, TextPrompt


class PromptRequest(GenerationFields):
    prompt_field: ClassVar[str] = "prompt"

    prompt: Annotated[
        str, Field(min_length=1), does("one user's turn; the other form has `messages`")
    ]
    raw: Annotated[
        bool | None,
        does("the prompt is not a turn: it spells control tokens itself", default=False),
    ] = None

    def neutral_prompt(self) -> Prompt:
        """A raw prompt spells the model's control tokens itself; any other is a user's turn."""
        if self.raw:
            return TextPrompt(self.prompt, parse_special=True)
        return ChatPrompt(messages=[ChatMessage(role="user", content=self.prompt)])
