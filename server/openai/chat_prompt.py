"""The fields that make the prompt of a chat: messages, tools, documents, the template's options."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from server.errors import BadRequest
from server.field_notes import does
from server.openai.messages import MAX_MESSAGES, Message, check_messages
from server.openai.tools import ToolFields
from server.question import ChatPrompt

MAX_DOCUMENTS = 1024
MAX_TEMPLATE_OPTIONS = 32

Messages = Annotated[
    list[Message],
    Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True),
    does("the conversation so far"),
]


class ChatPromptFields(ToolFields):
    """All but the messages, which not every request with these fields must have."""

    documents: Annotated[
        list[dict[str, Any]] | None,
        Field(max_length=MAX_DOCUMENTS),
        does("the template shows them; Granite likes `doc_id`, `title`, `text`, `source`"),
    ] = None
    add_generation_prompt: Annotated[
        bool | None, does("the prompt opens the assistant's turn", default=True)
    ] = None
    continue_final_message: Annotated[
        bool | None,
        does("the reply continues the last message, an assistant's text", default=False),
    ] = None
    chat_template_kwargs: Annotated[
        dict[str, Any] | None,
        Field(max_length=MAX_TEMPLATE_OPTIONS),
        does(
            "variables of the checkpoint's template, those that it has beside the other fields; "
            "others only if `false` or `null`"
        ),
    ] = None

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
