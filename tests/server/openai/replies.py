"""Asks a server under test and reads its replies through the types of OpenAI's own client."""

from typing import Any, Literal, TypeVar

import httpx2
from openai.types import Completion, CompletionChoice
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from tests.server.openai.support import HELLO, ONCE

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"


class StreamedChoice(CompletionChoice):
    """OpenAI's streams have null here until the end, which the type of its client does not say."""

    finish_reason: Literal["stop", "length", "content_filter"] | None  # type: ignore[assignment]  # see above


class StreamedCompletion(Completion):
    choices: list[StreamedChoice]  # type: ignore[assignment]  # wider, see StreamedChoice


Reply = TypeVar("Reply", bound=BaseModel)


def chat(client: httpx2.Client, **fields: Any) -> ChatCompletion:
    return _ask(client, CHAT, HELLO | fields, ChatCompletion)


def chat_stream(client: httpx2.Client, **fields: Any) -> list[ChatCompletionChunk]:
    return _stream(client, CHAT, HELLO | fields, ChatCompletionChunk)


def completion(client: httpx2.Client, **fields: Any) -> Completion:
    return _ask(client, COMPLETIONS, ONCE | fields, Completion)


def completion_stream(client: httpx2.Client, **fields: Any) -> list[StreamedCompletion]:
    return _stream(client, COMPLETIONS, ONCE | fields, StreamedCompletion)


def joined(chunks: list[ChatCompletionChunk], index: int = 0) -> str:
    """The streamed text of one choice of a chat reply."""
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


def _ask(client: httpx2.Client, route: str, body: dict[str, Any], kind: type[Reply]) -> Reply:
    response = client.post(route, json=body)
    assert response.status_code == 200, response.text
    return kind.model_validate_json(response.content, strict=True)


def _stream(
    client: httpx2.Client, route: str, body: dict[str, Any], kind: type[Reply]
) -> list[Reply]:
    response = client.post(route, json={**body, "stream": True})
    assert response.status_code == 200, response.text
    *events, last = response.text.removesuffix("\n\n").split("\n\n")
    assert last == "data: [DONE]"
    return [kind.model_validate_json(event.removeprefix("data: "), strict=True) for event in events]
