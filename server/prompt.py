"""From conversations and texts to token ids that fit the context. Knows no dialect.

Encoding runs off the event loop, and text that cannot possibly fit is refused before it is encoded.
"""

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from engine.errors import EngineUnavailable
from engine.interface import Engine, EngineInfo
from model_loader.chat_template import ChatTemplate
from model_loader.conversation import InvalidConversation
from model_loader.tokenizer import Tokenizer
from server.errors import BadRequest, ContextLengthExceeded, UnsupportedParameter, shown
from server.question import (
    ChatPrompt,
    InfillPrompt,
    Prompt,
    TextPrompt,
    TokenPrompt,
)
from server.template_view import conversation_of, num_characters

FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"


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

    async def encode(self, prompt: Prompt, info: EngineInfo, field: str) -> tuple[int, ...]:
        """The ids of one prompt; errors name `field`. The length is for the caller to check.

        Raises:
            ContextLengthExceeded: there are more characters than the context could hold.
            BadRequest: the template has no text for these messages, or an id is out of range.
            UnsupportedParameter: a gap is to be filled, and the tokenizer has no tokens for that.
        """
        if isinstance(prompt, InfillPrompt):
            before = await self.encode(prompt.before, info, field)
            after = await self.encode(TextPrompt(prompt.after), info, "suffix")
            return self._around_gap(before, after)
        if isinstance(prompt, TokenPrompt):
            if not all(0 <= token_id < info.vocab_size for token_id in prompt.token_ids):
                message = f"token ids of a prompt must be between 0 and {info.vocab_size - 1}"
                raise BadRequest(message, field)
            return prompt.token_ids
        return await asyncio.to_thread(self._encode, prompt, info.context_length, field)

    def _around_gap(self, before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
        """Bavarian et al. 2022, prefix-suffix-middle: what the model adds is the middle."""
        ids = self._tokenizer.control_tokens
        if not ids.keys() >= {FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE}:
            message = "this model's tokenizer has no tokens for filling a gap before a suffix"
            raise UnsupportedParameter("suffix", message)
        return (ids[FIM_PREFIX], *before, ids[FIM_SUFFIX], *after, ids[FIM_MIDDLE])

    def _encode(
        self, prompt: ChatPrompt | TextPrompt, context_length: int, field: str
    ) -> tuple[int, ...]:
        if isinstance(prompt, ChatPrompt):
            return self._render(prompt, context_length, field)
        self._refuse_hopeless(len(prompt.text), context_length, field)
        tokenizer = self._tokenizer
        with_control_tokens = tokenizer.encode_with_control_tokens
        encode = with_control_tokens if prompt.parse_special else tokenizer.encode
        return tuple(encode(prompt.text))

    def _render(self, prompt: ChatPrompt, context_length: int, field: str) -> tuple[int, ...]:
        self._refuse_hopeless(_num_characters(prompt), context_length, field)
        options = self._options(prompt.template_options)
        try:
            return tuple(self._template.render(conversation_of(prompt, options)))
        except InvalidConversation as error:
            raise BadRequest(str(error), field) from error

    def _options(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Those that the template knows. It need not know what is off."""
        unknown = [name for name in wanted if name not in self._template.options]
        for name in unknown:
            if wanted[name] is not None and wanted[name] is not False:
                message = f"this model's chat template has no option {shown(name)!r}"
                raise BadRequest(message, "chat_template_kwargs")
        return {name: value for name, value in wanted.items() if name not in unknown}

    def _refuse_hopeless(self, num_characters: int, context_length: int, param: str) -> None:
        at_least = -(-num_characters // self._longest_token)
        if at_least > context_length:
            asked = f"your prompt has {num_characters} characters: {at_least} tokens or more"
            raise ContextLengthExceeded(context_length, at_least, asked, param)

    @cached_property
    def _longest_token(self) -> int:
        """The most characters that one token can stand for (a character has at least one byte)."""
        tokenizer = self._tokenizer
        return max(len(tokenizer.token_bytes(token_id)) for token_id in range(tokenizer.vocab_size))


def _num_characters(prompt: ChatPrompt) -> int:
    """Characters that the rendering of a conversation is sure to contain."""
    calls = (call for message in prompt.messages for call in message.tool_calls)
    texts: list[Any] = [message.content for message in prompt.messages]
    texts += prompt.documents
    texts += [(tool.name, tool.description, tool.parameters) for tool in prompt.toolbox.tools]
    texts += [(call.name, call.arguments) for call in calls]
    return num_characters(texts)


def tokens_to_generate(
    prompt_length: int, wanted: int | None, context_length: int, param: str
) -> int:
    """How many tokens may follow the prompt: what is wanted, else all that the context has left.

    Raises:
        ContextLengthExceeded: the prompt leaves no room, or less than is wanted; names `param`.
    """
    left = context_length - prompt_length
    if left < (1 if wanted is None else min(1, wanted)):
        asked = f"your prompt resulted in {prompt_length} tokens"
        if left == 0:
            asked += ", which leaves no room for a reply"
        raise ContextLengthExceeded(context_length, prompt_length, asked, param)
    if wanted is not None and wanted > left:
        asked = (
            f"you requested {prompt_length + wanted} tokens ({prompt_length} in the prompt, "
            f"{wanted} in the completion)"
        )
        raise ContextLengthExceeded(context_length, prompt_length + wanted, asked, param)
    return left if wanted is None else wanted
