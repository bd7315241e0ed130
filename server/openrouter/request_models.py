"""The bodies of OpenRouter's two routes: OpenAI's, but for what may be left out."""

from typing import Annotated

from pydantic import BeforeValidator

from server.field_notes import does
from server.openai.chat_prompt import Messages
from server.openai.chat_request import ChatRequest
from server.openai.completion_request import CompletionRequest

Model = Annotated[
    str,
    BeforeValidator(lambda name: "" if name is None else name, json_schema_input_type=str | None),
    does("a served name, also with `:nitro` or `:floor` after it", otherwise="what is served"),
]
"""Whoever reads a body puts a name in it before it is checked."""


class OpenRouterChat(ChatRequest):
    model: Model = ""
    messages: Annotated[
        Messages,
        does("the conversation so far; a last one of the assistant is the beginning of the reply"),
    ]


class OpenRouterCompletion(CompletionRequest):
    model: Model = ""
