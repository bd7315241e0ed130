"""The fields that make the prompt of a chat: messages, tools, documents, the template's options."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from server.errors import BadRequest
from server.openai.messages import MAX_MESSAGES, Message, check_messages
from server.openai.tools import ToolFields
from server.question import ChatPrompt

MAX_DOCUMENTS = 1024
MAX_TEMPLATE_OPTIONS = 32

Messages = Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True)]


class ChatPromptFields(ToolFields):
    """All but the messages, which not every request with these fields must have."""

    documents: list[dict[str, Any]] | None = Field(None, max_length=MAX_DOCUMENTS)
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = Field(None, max_length=MAX_TEMPLATE_OPTIONS)

    def chat_prompt(self, messages: Sequence[Message]) -> ChatPrompt:
        """Raises BadRequest for fields that do not go together."""
        check_messages(messages)
        continues = bool(self.continue_final_message)
        if continues and self.add_generation_prompt:
            message = "continue_final_message and add_generation_prompt exclude each other"
            raise BadRequest(message, "continue_final_message")
        if continues and not messages[-1].is_assistants_text:
            message = "continue_final_message needs an assistant's text as the last message"
            raise BadRequest(message, "continue_final_message")
        return ChatPrompt(
            messages=[message.neutral() for message in messages],
            toolbox=self.toolbox(),
            documents=self.documents or (),
            continues_final_message=continues,
            adds_generation_prompt=self.add_generation_prompt is not False,
            template_options=self.chat_template_kwargs or {},
        )


def unknown_in(messages: Sequence[Message]) -> list[str]:
    """Names of the fields of messages that nobody knows."""
    unknown = [f"messages[].{name}" for message in messages for name in message.unknown_fields()]
    return list(dict.fromkeys(unknown))
