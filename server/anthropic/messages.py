"""The messages of a request, and its system prompt: what is accepted."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from server.anthropic.content_blocks import AssistantContent, Texts, UserContent
from server.anthropic.request_model import NestedModel
from server.errors import BadRequest

MAX_MESSAGES = 8192


class UserMessage(NestedModel):
    role: Literal["user"]
    content: UserContent


class AssistantMessage(NestedModel):
    role: Literal["assistant"]
    content: AssistantContent


class SystemMessage(NestedModel):
    """Instructions in the middle of a conversation."""

    role: Literal["system"]
    content: Texts


def _role(message: object) -> object:
    return message.get("role") if isinstance(message, Mapping) else getattr(message, "role", None)


def _check_role(message: object) -> object:
    if _role(message) not in ("user", "assistant", "system"):
        words = "must be an object with the role user, assistant or system"
        raise PydanticCustomError("message", "{words}", {"words": words})
    return message


def _tag(message: object) -> str:
    return f"<{_role(message)}>"


Message = UserMessage | AssistantMessage | SystemMessage
Messages = Annotated[
    list[
        Annotated[
            Annotated[UserMessage, Tag("<user>")]
            | Annotated[AssistantMessage, Tag("<assistant>")]
            | Annotated[SystemMessage, Tag("<system>")],
            Discriminator(_tag),
            BeforeValidator(_check_role),
        ]
    ],
    Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True),
]


def check_messages(messages: Sequence[Message]) -> None:
    """Raises BadRequest for a message without content that is not the beginning of the reply."""
    for index, message in enumerate(messages):
        is_prefill = message.role == "assistant" and index == len(messages) - 1
        if not message.content and not is_prefill:
            raise BadRequest("a message must have content", f"messages[{index}].content")
