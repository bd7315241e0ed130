"""Makes prompts fit the context by leaving out their middle, for callers who ask for that.

The beginning says what the conversation is about and the end what is wanted now; OpenRouter, whose
transform `middle-out` this is, also found that models attend least to what lies between.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from server.errors import ContextLengthExceeded
from server.prompt import loaded_info
from server.question import ChatMessage, ChatPrompt, Prompt, Question, TextPrompt, TokenPrompt
from server.services import Services

SHARE_FOR_REPLY = 4
"""Where the caller set no limit, one in so many tokens of the context is left for the reply."""

Fits = Callable[[Prompt], Awaitable[bool]]
Sliceable = TypeVar("Sliceable", str, tuple[int, ...])


async def without_middles(services: Services, question: Question) -> Question:
    """The question with every prompt shortened that would leave too little room for its reply.

    Raises:
        EngineUnavailable: the model is still loading.
    """
    info = loaded_info(services.engine)
    room = question.wanted_tokens
    if room is None:
        room = min(question.default_tokens or info.context_length, info.context_length)
        room = min(room, info.context_length // SHARE_FOR_REPLY)
    longest = max(1, info.context_length - room)

    async def fits(prompt: Prompt) -> bool:
        try:
            ids = await services.encoder.encode(prompt, info, question.prompt_field)
        except ContextLengthExceeded:
            return False
        return len(ids) <= longest

    return replace(
        question, prompts=[await without_middle(prompt, fits) for prompt in question.prompts]
    )


async def without_middle(prompt: Prompt, fits: Fits) -> Prompt:
    """As much of the prompt as fits; the prompt itself if it does, or if nothing could help."""
    if await fits(prompt):
        return prompt
    shorter: Prompt | None = None
    if isinstance(prompt, ChatPrompt):
        shorter = await _shorter_chat(prompt, fits)
    elif isinstance(prompt, TextPrompt):
        text = prompt.text
        shorter = await _longest(lambda n: replace(prompt, text=_cut(text, n)), len(text), fits)
    elif isinstance(prompt, TokenPrompt):
        ids = prompt.token_ids
        shorter = await _longest(lambda n: TokenPrompt(_cut(ids, n)), len(ids), fits)
    return shorter or prompt


async def _shorter_chat(prompt: ChatPrompt, fits: Fits) -> Prompt | None:
    """First fewer messages, without the first system ones and the last; then shorter ones."""
    messages = prompt.messages
    first = next((i for i, message in enumerate(messages) if message.role != "system"), 0)
    start, middle, end = messages[:first], messages[first:-1], messages[-1:]

    def with_messages(size: int) -> Prompt:
        return replace(prompt, messages=[*start, *_ends(middle, size), *end])

    fewer = await _longest(with_messages, len(middle), fits)
    if fewer is not None:
        return fewer
    fewest = [*start, *end]

    def with_texts(size: int) -> Prompt:
        return replace(prompt, messages=[_shorten(message, size) for message in fewest])

    return await _longest(with_texts, max(map(_longest_text, fewest)), fits)


async def _longest(make: Callable[[int], Prompt], size: int, fits: Fits) -> Prompt | None:
    """`make` of the largest number below `size` that fits; None if not even 0 does."""
    low, high = -1, size
    while high - low > 1:
        middle = (low + high) // 2
        if await fits(make(middle)):
            low = middle
        else:
            high = middle
    return None if low < 0 else make(low)


def _cut(items: Sliceable, size: int) -> Sliceable:
    """At most `size` of the items, half of them from the beginning and half from the end."""
    if len(items) <= size:
        return items
    return items[: size - size // 2] + items[len(items) - size // 2 :]


def _ends(messages: Sequence[ChatMessage], size: int) -> list[ChatMessage]:
    """As `_cut`, but without calls whose results are left out, and the reverse."""
    head, tail = list(messages[: size - size // 2]), list(messages[len(messages) - size // 2 :])
    while head and messages[len(head)].role == "tool":
        head.pop()
    while tail and tail[0].role == "tool":
        tail.pop(0)
    return head + tail


def _shorten(message: ChatMessage, size: int) -> ChatMessage:
    """Every text of the message cut down to `size` characters."""
    content = message.content
    if isinstance(content, str):
        return replace(message, content=_cut(content, size))
    return replace(message, content=tuple(_cut(text, size) for text in content))


def _longest_text(message: ChatMessage) -> int:
    texts = (message.content,) if isinstance(message.content, str) else message.content
    return max(map(len, texts), default=0)
