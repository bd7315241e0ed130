"""Conversation to prompt ids by the checkpoint's own Jinja template. Knows no HTTP and no model.

Control tokens come from the template only: text of messages, tools and documents, keys included,
is guarded while the template runs, and encoded as plain text afterwards.
"""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from model_loader.conversation import Conversation, InvalidConversation
from model_loader.errors import InvalidTokenizer
from model_loader.json_file import read_json_object
from model_loader.text_guard import TextGuard, guarded_characters
from model_loader.tokenizer import Tokenizer

MAX_TEMPLATE_BYTES = 2**20
RESERVED_NAMES = frozenset(
    {"messages", "tools", "available_tools", "documents", "add_generation_prompt"}
)
"""What a conversation has anyway; `available_tools` is Granite's other name for `tools`."""
SPECIAL_TOKEN_KEYS = ("bos_token", "eos_token", "pad_token", "unk_token")


class ChatTemplate:
    """Immutable and safe to share between threads.

    Raises:
        InvalidTokenizer: the template does not parse.
    """

    def __init__(self, source: str, tokenizer: Tokenizer, special_tokens: dict[str, str]) -> None:
        environment = _environment()
        try:
            self._template = environment.from_string(source)
            names = find_undeclared_variables(environment.parse(source))
        except jinja2.TemplateError as failure:
            raise InvalidTokenizer(f"the chat template does not parse: {failure}") from failure
        self.options = frozenset(
            names - environment.globals.keys() - RESERVED_NAMES - set(SPECIAL_TOKEN_KEYS)
        )
        """Variables that the template reads beside those of a conversation."""
        self._source = source
        self._tokenizer = tokenizer
        self._special_tokens = special_tokens
        self._guarded = guarded_characters(tokenizer.control_tokens)
        longest_first = sorted(tokenizer.control_tokens, key=len, reverse=True)
        self._control_token = re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    @classmethod
    def from_directory(cls, directory: Path, tokenizer: Tokenizer) -> "ChatTemplate":
        """Read `chat_template.jinja`, else the template in `tokenizer_config.json`.

        Raises:
            InvalidTokenizer: there is none, or it does not parse.
        """
        config_path = directory / "tokenizer_config.json"
        config = read_json_object(config_path, InvalidTokenizer) if config_path.exists() else {}
        path = directory / "chat_template.jinja"
        source = _read_template(path) if path.exists() else config.get("chat_template")
        if not isinstance(source, str):
            raise InvalidTokenizer(f"{directory}: no chat_template.jinja and no single template")
        return cls(source, tokenizer, _special_tokens(config))

    def render(self, conversation: Conversation) -> list[int]:
        """Prompt ids, as `transformers` gives them wherever no text spells a control token.

        Raises:
            InvalidConversation: the template refuses the conversation or fails on its values.
            InvalidText: a lone surrogate.
        """
        variables = {
            **conversation.options,
            "messages": conversation.messages,
            "tools": conversation.tools,
            "documents": conversation.documents,
        }
        guard = TextGuard(self._guarded, variables, self._source)
        guarded = guard.guard(variables)
        continues = conversation.continue_final_message
        if continues:
            _mark_end(guarded["messages"], guard.mark)
        opens_turn = conversation.add_generation_prompt and not continues
        text = self._run(guard, guarded, opens_turn)
        if continues:
            text = _before(guard.mark, text)
        ids: list[int] = []
        for part in filter(None, self._control_token.split(text)):
            control_id = self._tokenizer.control_tokens.get(part)
            plain = guard.reveal(part)
            ids += self._tokenizer.encode(plain) if control_id is None else [control_id]
        return ids

    def _run(self, guard: TextGuard, guarded: dict[str, Any], add_generation_prompt: bool) -> str:
        try:
            return self._template.render(
                {
                    **guarded,
                    **self._special_tokens,
                    "add_generation_prompt": add_generation_prompt,
                }
            )
        except (
            jinja2.TemplateError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
        ) as failure:
            # Whatever the template cannot compute with is a value it was given.
            reason = guard.reveal(str(failure))
            raise InvalidConversation(f"the chat template refused: {reason}") from failure


def _mark_end(messages: list[dict[str, Any]], mark: str) -> None:
    """Mark the end of the last message's content, which is text or a list of text parts."""
    content = messages[-1].get("content") if messages else None
    if isinstance(content, str):
        messages[-1]["content"] = content + mark
    elif isinstance(content, list) and content and isinstance(content[-1].get("text"), str):
        content[-1]["text"] += mark
    else:
        raise InvalidConversation("there is no text of a last message to continue")


def _before(mark: str, text: str) -> str:
    before, *after = text.split(mark)
    if len(after) != 1:
        raise InvalidConversation("the chat template does not show the last message as it is")
    return before


def _special_tokens(tokenizer_config: dict[str, Any]) -> dict[str, str]:
    """The text of bos, eos, pad and unk tokens, which templates may name."""
    tokens = {key: tokenizer_config.get(key) for key in SPECIAL_TOKEN_KEYS}
    texts = {key: t.get("content") if isinstance(t, dict) else t for key, t in tokens.items()}
    return {key: text for key, text in texts.items() if isinstance(text, str)}


def _environment() -> ImmutableSandboxedEnvironment:
    """The language as templates on the hub expect it; the sandbox also forbids changing values."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _format_now
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Unlike Jinja's own filter, without escapes for HTML."""
    if ensure_ascii:
        raise jinja2.TemplateError("tojson(ensure_ascii=True) would spell out guarded characters")
    return json.dumps(
        value, ensure_ascii=False, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _format_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)


def _read_template(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_TEMPLATE_BYTES:
            raise InvalidTokenizer(f"{path}: larger than {MAX_TEMPLATE_BYTES} bytes")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as failure:
        raise InvalidTokenizer(f"{path}: not UTF-8 text") from failure
    except OSError as failure:
        raise InvalidTokenizer(f"{path}: cannot be read: {failure.strerror}") from failure
