"""The messages of a request, and its system prompt: what is accepted."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from server.anthropic.content_blocks import AssistantContent, Texts, UserContent
from server.errors import BadRequest
from server.field_notes import does
from server.openai.request_model import RequestModel

MAX_MESSAGES = 8192


class UserMessage(RequestModel):
    role: Annotated[Literal["user"], does("whose turn it is")]
    content: Annotated[UserContent, does("what was said; texts become lines")]


class AssistantMessage(RequestModel):
    role: Annotated[Literal["assistant"], does("whose turn it is")]
    content: Annotated[AssistantContent, does("what was said; texts become lines")]


class SystemMessage(RequestModel):
    """Instructions in the middle of a conversation."""

    role: Annotated[Literal["system"], does("whose turn it is")]
    content: Annotated[Texts, does("what was said; texts become lines")]


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
