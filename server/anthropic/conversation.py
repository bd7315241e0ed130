"""From messages of blocks to the neutral turns that a chat template reads."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from server.anthropic.content_blocks import (
    DocumentBlock,
    SearchResultBlock,
    TextBlock,
    TextSource,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from server.anthropic.messages import AssistantMessage, Message, UserMessage
from server.question import ChatMessage, PastCall, Role

VOLATILE_HEADER = "x-anthropic-billing-header:"
"""How Claude Code begins its system prompt. What follows differs in every request: shown to the
model, it would keep the server from ever finding the same beginning of a prompt again."""
ERROR_MARK = "Error: "


@dataclass(slots=True)
class Conversation:
    """`referenced` are the tools that results of earlier calls refer to."""

    turns: list[ChatMessage] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    referenced: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, system: Sequence[TextBlock], messages: Sequence[Message]) -> "Conversation":
        """Consecutive turns of one role become one."""
        conversation = cls()
        texts = _without_volatile_header([block.text for block in system])
        if any(texts):
            conversation.turns.append(ChatMessage(role="system", content=texts))
        for message in messages:
            if isinstance(message, UserMessage):
                conversation._read_user(message)
            elif isinstance(message, AssistantMessage):
                conversation._read_assistant(message)
            else:
                conversation._say("system", tuple(block.text for block in message.content))
        return conversation

    def _read_user(self, message: UserMessage) -> None:
        is_shown = False
        for block in message.content:
            match block:
                case TextBlock():
                    self._say("user", (block.text,))
                case ToolResultBlock():
                    self._answer(block)
                case _:
                    self.documents.append(_document(block))
                    continue
            is_shown = True
        if not is_shown:  # all of it is among the documents
            self._say("user", ())

    def _read_assistant(self, message: AssistantMessage) -> None:
        texts = tuple(block.text for block in message.content if isinstance(block, TextBlock))
        calls = tuple(_call(block) for block in message.content if isinstance(block, ToolUseBlock))
        if any(texts) or calls:
            self._say("assistant", texts, calls)

    def _say(self, role: Role, texts: tuple[str, ...], calls: tuple[PastCall, ...] = ()) -> None:
        last = self.turns[-1] if self.turns else None
        if last is None or last.role != role:
            last = ChatMessage(role=role, content=())
            self.turns.append(last)
        said = tuple(last.content) + tuple(filter(None, texts))
        self.turns[-1] = replace(last, content=said, tool_calls=last.tool_calls + calls)

    def _answer(self, block: ToolResultBlock) -> None:
        texts = []
        for part in block.content:
            match part:
                case TextBlock():
                    texts.append(part.text)
                case ToolReferenceBlock():
                    self.referenced.add(part.tool_name)
                    texts.append(part.tool_name)
                case _:
                    texts += map(str, _document(part).values())
        if block.is_error:
            texts = [ERROR_MARK + "\n".join(texts)]
        self.turns.append(
            ChatMessage(role="tool", content=tuple(texts), tool_call_id=block.tool_use_id)
        )


def _without_volatile_header(texts: Sequence[str]) -> tuple[str, ...]:
    """Without a block, or a first line, that begins so."""
    kept = []
    for text in texts:
        if text.startswith(VOLATILE_HEADER):
            _, _, text = text.partition("\n")
        kept.append(text)
    return tuple(filter(None, kept))


def _call(block: ToolUseBlock) -> PastCall:
    arguments = json.dumps(block.input, ensure_ascii=False)
    return PastCall(id=block.id, name=block.name, arguments=arguments)


def _document(block: DocumentBlock | SearchResultBlock) -> dict[str, Any]:
    """In the keys that Granite was trained with, and what else there is."""
    if isinstance(block, SearchResultBlock):
        text = "\n".join(part.text for part in block.content)
        return {"title": block.title, "source": block.source, "text": text}
    source = block.source
    if isinstance(source, TextSource):
        text = source.data
    else:
        text = "\n".join(part.text for part in source.content)
    told = {"title": block.title, "context": block.context, "text": text}
    return {name: value for name, value in told.items() if value is not None}
