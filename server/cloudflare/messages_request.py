"""The messages form of a text generation request: a conversation, with tools if there are any."""

from typing import Annotated, ClassVar

from pydantic import Field

from server.cloudflare.generation_fields import GenerationFields
from server.cloudflare.tool_fields import Calls, WorkersToolFields
from server.errors import BadRequest
from server.field_notes import does
from server.openai.messages import MAX_MESSAGES, Message
from server.question import ChatPrompt, Prompt


class WorkersMessage(Message):
    """Workers AI has no ids of calls, and its clients send no null for missing content."""

    tool_calls: Calls = None


class MessagesRequest(WorkersToolFields, GenerationFields):
    prompt_field: ClassVar[str] = "messages"

    messages: Annotated[
        list[WorkersMessage],
        Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True),
        does("the conversation so far; `tool` messages need no id"),
    ]

    def neutral_prompt(self) -> Prompt:
        return ChatPrompt(
            messages=[message.neutral() for message in self.messages], toolbox=self.toolbox()
        )

    def check_combinations(self) -> None:
        super().check_combinations()
        self.toolbox()
        for index, message in enumerate(self.messages):
            where = f"messages[{index}]"
            calls = message.tool_calls or message.function_call
            if calls and message.role != "assistant":
                raise BadRequest("only assistant messages have tool_calls", f"{where}.tool_calls")
            if message.content is None and not calls:
                words = f"content of this {message.role} message is missing"
                raise BadRequest(words, f"{where}.content")
