"""The blocks that messages consist of, as far as a model that reads text can take them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from server.anthropic.request_model import NestedModel

MAX_BLOCKS = 1024
MAX_KIND_LENGTH = 64

Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]


def _kind(block: object) -> object:
    return block.get("type") if isinstance(block, Mapping) else getattr(block, "type", None)


def _tag(block: object) -> str:
    """Angle brackets keep the tag apart from field names in the path of an error."""
    return f"<{_kind(block)}>"


def refuse_others(*kinds: str, what: str = "blocks") -> Callable[[object], object]:
    """A validator that refuses all types but these by their names."""

    def check(block: object) -> object:
        kind = _kind(block)
        if not isinstance(kind, str):
            raise PydanticCustomError("block", "must be an object with a type")
        if kind not in kinds:
            raise PydanticCustomError(
                "unsupported_parameter",
                "{what} of type '{kind}' are not supported here, only of type {kinds}",
                {"what": what, "kind": kind[:MAX_KIND_LENGTH], "kinds": ", ".join(kinds)},
            )
        return block

    return check


def _as_blocks(content: object) -> object:
    """A plain string is one block of text."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise PydanticCustomError("content_type", "must be a string or a list of blocks")
    return content


def _refuse_citations(citations: object) -> object:
    if isinstance(citations, Mapping) and citations.get("enabled"):
        raise PydanticCustomError("unsupported_parameter", "this model does not cite")
    return citations


class CacheControl(NestedModel):
    """Harmless: what can be kept of a prompt is not for the client to say."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None
    scope: str | None = None


class Block(NestedModel):
    cache_control: CacheControl | None = None


class CitationsConfig(NestedModel):
    enabled: bool | None = None


Citations = Annotated[CitationsConfig | None, BeforeValidator(_refuse_citations)]


class TextBlock(Block):
    type: Literal["text"]
    text: str
    citations: list[Any] | None = None


TextOnly = Annotated[TextBlock, BeforeValidator(refuse_others("text"))]
Texts = Annotated[
    list[TextOnly], Field(max_length=MAX_BLOCKS, fail_fast=True), BeforeValidator(_as_blocks)
]


class ThinkingBlock(NestedModel):
    """What a thinking model thought before: accepted in histories, and not shown to this one."""

    type: Literal["thinking"]
    thinking: str
    signature: str | None = None


class RedactedThinkingBlock(NestedModel):
    type: Literal["redacted_thinking"]
    data: str


class ToolUseBlock(Block):
    """`caller` says what made the call, which makes no difference afterwards."""

    type: Literal["tool_use"]
    id: Id
    name: Id
    input: dict[str, Any]
    caller: dict[str, Any] | None = None
    toolset_name: None = None


class TextSource(NestedModel):
    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class ContentSource(NestedModel):
    type: Literal["content"]
    content: Texts


Source = Annotated[
    Annotated[TextSource, Tag("<text>")] | Annotated[ContentSource, Tag("<content>")],
    Discriminator(_tag),
    BeforeValidator(refuse_others("text", "content", what="sources")),
]


class DocumentBlock(Block):
    type: Literal["document"]
    source: Source
    title: str | None = None
    context: str | None = None
    citations: Citations = None


class SearchResultBlock(Block):
    type: Literal["search_result"]
    source: str
    title: str
    content: Texts
    citations: Citations = None


class ToolReferenceBlock(Block):
    """A tool that a search of the client's found among those whose loading was deferred."""

    type: Literal["tool_reference"]
    tool_name: Id


ResultBlock = Annotated[
    Annotated[TextBlock, Tag("<text>")]
    | Annotated[DocumentBlock, Tag("<document>")]
    | Annotated[SearchResultBlock, Tag("<search_result>")]
    | Annotated[ToolReferenceBlock, Tag("<tool_reference>")],
    Discriminator(_tag),
    BeforeValidator(refuse_others("text", "document", "search_result", "tool_reference")),
]


class ToolResultBlock(Block):
    type: Literal["tool_result"]
    tool_use_id: Id
    content: Annotated[
        list[ResultBlock], Field(max_length=MAX_BLOCKS, fail_fast=True), BeforeValidator(_as_blocks)
    ] = []
    is_error: bool | None = None
    toolset_name: None = None


UserBlock = Annotated[
    Annotated[TextBlock, Tag("<text>")]
    | Annotated[ToolResultBlock, Tag("<tool_result>")]
    | Annotated[DocumentBlock, Tag("<document>")]
    | Annotated[SearchResultBlock, Tag("<search_result>")],
    Discriminator(_tag),
    BeforeValidator(refuse_others("text", "tool_result", "document", "search_result")),
]
AssistantBlock = Annotated[
    Annotated[TextBlock, Tag("<text>")]
    | Annotated[ToolUseBlock, Tag("<tool_use>")]
    | Annotated[ThinkingBlock, Tag("<thinking>")]
    | Annotated[RedactedThinkingBlock, Tag("<redacted_thinking>")],
    Discriminator(_tag),
    BeforeValidator(refuse_others("text", "tool_use", "thinking", "redacted_thinking")),
]
UserContent = Annotated[
    list[UserBlock], Field(max_length=MAX_BLOCKS, fail_fast=True), BeforeValidator(_as_blocks)
]
AssistantContent = Annotated[
    list[AssistantBlock], Field(max_length=MAX_BLOCKS, fail_fast=True), BeforeValidator(_as_blocks)
]
