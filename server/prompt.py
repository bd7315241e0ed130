"""From conversations and texts to token ids that fit the context. Knows no dialect.

Encoding runs off the event loop, and text that cannot possibly fit is refused before it is encoded.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from engine.errors import EngineUnavailable
from engine.interface import Engine, EngineInfo
from model_loader.chat_template import ChatTemplate
from model_loader.conversation import Conversation, InvalidConversation
from model_loader.tokenizer import Tokenizer
from server.errors import BadRequest, ContextLengthExceeded


def loaded_info(engine: Engine) -> EngineInfo:
    """Raises EngineUnavailable while the first load has not finished."""
    if engine.info is None:
        raise EngineUnavailable("the model is still loading")
    return engine.info


class PromptEncoder:
    """Encodes for one tokenizer and one chat template. Safe to use from many requests at once."""

    def __init__(self, tokenizer: Tokenizer, template: ChatTemplate) -> None:
        self._tokenizer = tokenizer
        self._template = template

    async def encode_chat(
        self, messages: Sequence[Mapping[str, Any]], context_length: int
    ) -> tuple[int, ...]:
        """Render messages with the checkpoint's template, ready for the assistant's answer.

        Raises:
            ContextLengthExceeded: there are more characters than the context could hold.
            BadRequest: the template has no text for these messages.
        """
        return await asyncio.to_thread(self._render, messages, context_length)

    async def encode_text(
        self, text: str, context_length: int, *, parse_special: bool = False
    ) -> tuple[int, ...]:
        """Encode raw text. Only with `parse_special` may it contain control tokens.

        Raises:
            ContextLengthExceeded: there are more characters than the context could hold.
        """
        return await asyncio.to_thread(self._encode, text, context_length, parse_special)

    def _render(
        self, messages: Sequence[Mapping[str, Any]], context_length: int
    ) -> tuple[int, ...]:
        self._refuse_hopeless(sum(map(_num_characters, messages)), context_length, "messages")
        try:
            return tuple(self._template.render(Conversation(messages=messages)))
        except InvalidConversation as error:
            raise BadRequest(str(error), "messages") from error

    def _encode(self, text: str, context_length: int, parse_special: bool) -> tuple[int, ...]:
        self._refuse_hopeless(len(text), context_length, "prompt")
        tokenizer = self._tokenizer
        encode = tokenizer.encode_with_control_tokens if parse_special else tokenizer.encode
        return tuple(encode(text))

    def _refuse_hopeless(self, num_characters: int, context_length: int, param: str) -> None:
        at_least = -(-num_characters // self._longest_token)
        if at_least > context_length:
            asked = f"your prompt has {num_characters} characters: {at_least} tokens or more"
            raise ContextLengthExceeded(context_length, asked, param)

    @cached_property
    def _longest_token(self) -> int:
        """The most characters that one token can stand for (a character has at least one byte)."""
        tokenizer = self._tokenizer
        return max(len(tokenizer.token_bytes(token_id)) for token_id in range(tokenizer.vocab_size))


def _num_characters(message: Mapping[str, Any]) -> int:
    """Characters of a message that its rendering is sure to contain."""
    content = message["content"]
    texts = [content] if isinstance(content, str) else [part["text"] for part in content]
    calls = [call["function"] for call in message.get("tool_calls", ())]
    texts += [text for call in calls for text in (call["name"], call["arguments"])]
    return sum(map(len, texts))


def tokens_to_generate(
    prompt_length: int, wanted: int | None, context_length: int, param: str
) -> int:
    """How many tokens may follow the prompt: what is wanted, else all that the context has left.

    Raises:
        ContextLengthExceeded: the prompt leaves no room, or less than is wanted; names `param`.
    """
    left = context_length - prompt_length
    if left < 1:
        asked = f"your prompt resulted in {prompt_length} tokens"
        if left == 0:
            asked += ", which leaves no room for a reply"
        raise ContextLengthExceeded(context_length, asked, param)
    if wanted is not None and wanted > left:
        asked = (
            f"you requested {prompt_length + wanted} tokens ({prompt_length} in the prompt, "
            f"{wanted} in the completion)"
        )
        raise ContextLengthExceeded(context_length, asked, param)
    return left if wanted is None else wanted
