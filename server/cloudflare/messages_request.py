"""The messages form of a text generation request: a conversation, with tools if there are any."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from server.cloudflare.generation_fields import GenerationFields
from server.cloudflare.tool_fields import WorkersToolFields, as_openai_calls
from server.errors import BadRequest
from server.openai.chat_prompt import Messages, unknown_in
from server.question import ChatPrompt, Prompt


def _as_openai_messages(messages: object) -> object:
    return [_as_openai(each) for each in messages] if isinstance(messages, list) else messages


def _as_openai(message: object) -> object:
    """Workers AI has no ids of calls, and its clients send no null for missing content."""
    if not isinstance(message, Mapping):
        return message
    said: dict[str, Any] = {**message}
    if said.get("tool_calls") is not None:
        said["tool_calls"] = as_openai_calls(said["tool_calls"])
    return said


class MessagesRequest(WorkersToolFields, GenerationFields):
    prompt_field: ClassVar[str] = "messages"

    messages: Annotated[Messages, BeforeValidator(_as_openai_messages)]

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

    def unknown_fields(self) -> list[str]:
        return [*super().unknown_fields(), *unknown_in(self.messages)]
