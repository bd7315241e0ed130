"""The blocks that messages consist of, as far as a model that reads text can take them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from server.field_notes import does, harmless
from server.openai.request_model import RequestModel

MAX_BLOCKS = 1024
MAX_KIND_LENGTH = 64

OwnCache = harmless("what the server keeps of prompts is its own decision")
NotShown = harmless("the model is not shown it")

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


class CacheControl(RequestModel):
    """Harmless: what can be kept of a prompt is not for the client to say."""

    type: Annotated[Literal["ephemeral"], OwnCache]
    ttl: Annotated[Literal["5m", "1h"] | None, OwnCache] = None
    scope: Annotated[str | None, OwnCache] = None


class Block(RequestModel):
    cache_control: Annotated[CacheControl | None, OwnCache] = None


class CitationsConfig(RequestModel):
    enabled: Annotated[bool | None, does("`true` is refused", default=False)] = None


Citations = Annotated[CitationsConfig | None, BeforeValidator(_refuse_citations)]


class TextBlock(Block):
    type: Annotated[Literal["text"], does("the kind of the block")]
    text: Annotated[str, does("shown to the model")]
    citations: Annotated[list[Any] | None, NotShown] = None


TextOnly = Annotated[TextBlock, BeforeValidator(refuse_others("text"))]
_TextBlocks = Annotated[list[TextOnly], Field(max_length=MAX_BLOCKS, fail_fast=True)]
Texts = Annotated[
    _TextBlocks, BeforeValidator(_as_blocks, json_schema_input_type=str | _TextBlocks)
]


class ThinkingBlock(RequestModel):
    """What a thinking model thought before: accepted in histories, and not shown to this one."""

    type: Annotated[Literal["thinking"], does("the kind of the block")]
    thinking: Annotated[str, NotShown]
    signature: Annotated[str | None, NotShown] = None


class RedactedThinkingBlock(RequestModel):
    type: Annotated[Literal["redacted_thinking"], does("the kind of the block")]
    data: Annotated[str, NotShown]


class ToolUseBlock(Block):
    """`caller` says what made the call, which makes no difference afterwards."""

    type: Annotated[Literal["tool_use"], does("the kind of the block")]
    id: Annotated[Id, harmless("calls and results have their order")]
    name: Annotated[Id, does("which tool was called")]
    input: Annotated[dict[str, Any], does("shown to the model as JSON")]
    caller: Annotated[
        dict[str, Any] | None, harmless("what made the call makes no difference afterwards")
    ] = None
    toolset_name: Annotated[None, does("anything but `null` is refused")] = None


class TextSource(RequestModel):
    type: Annotated[Literal["text"], does("the kind of the block")]
    media_type: Annotated[Literal["text/plain"], does("the only kind")]
    data: Annotated[str, does("shown to the model")]


class ContentSource(RequestModel):
    type: Annotated[Literal["content"], does("the kind of the block")]
    content: Annotated[Texts, does("shown to the model")]


Source = Annotated[
    Annotated[TextSource, Tag("<text>")] | Annotated[ContentSource, Tag("<content>")],
    Discriminator(_tag),
    BeforeValidator(refuse_others("text", "content", what="sources")),
]


class DocumentBlock(Block):
    type: Annotated[Literal["document"], does("the kind of the block")]
    source: Annotated[Source, does("the text of the document")]
    title: Annotated[str | None, does("shown to the model")] = None
    context: Annotated[str | None, does("shown to the model")] = None
    citations: Annotated[Citations, does("the model does not cite")] = None


class SearchResultBlock(Block):
    type: Annotated[Literal["search_result"], does("the kind of the block")]
    source: Annotated[str, does("shown to the model")]
    title: Annotated[str, does("shown to the model")]
    content: Annotated[Texts, does("shown to the model")]
    citations: Annotated[Citations, does("the model does not cite")] = None


class ToolReferenceBlock(Block):
    """A tool that a search of the client's found among those whose loading was deferred."""

    type: Annotated[Literal["tool_reference"], does("the kind of the block")]
    tool_name: Annotated[Id, does("from then on it is shown with the tools")]


ResultBlock = Annotated[
    Annotated[TextBlock, Tag("<text>")]
    | Annotated[DocumentBlock, Tag("<document>")]
    | Annotated[SearchResultBlock, Tag("<search_result>")]
    | Annotated[ToolReferenceBlock, Tag("<tool_reference>")],
    Discriminator(_tag),
    BeforeValidator(refuse_others("text", "document", "search_result", "tool_reference")),
]


_ResultBlocks = Annotated[list[ResultBlock], Field(max_length=MAX_BLOCKS, fail_fast=True)]
ResultContent = Annotated[
    _ResultBlocks, BeforeValidator(_as_blocks, json_schema_input_type=str | _ResultBlocks)
]


class ToolResultBlock(Block):
    type: Annotated[Literal["tool_result"], does("the kind of the block")]
    tool_use_id: Annotated[Id, harmless("calls and results have their order")]
    content: Annotated[ResultContent, does("what was returned", otherwise="nothing")] = []
    is_error: Annotated[bool | None, does("`Error: ` goes before it", default=False)] = None
    toolset_name: Annotated[None, does("anything but `null` is refused")] = None


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
_UserBlocks = Annotated[list[UserBlock], Field(max_length=MAX_BLOCKS, fail_fast=True)]
UserContent = Annotated[
    _UserBlocks, BeforeValidator(_as_blocks, json_schema_input_type=str | _UserBlocks)
]
_AssistantBlocks = Annotated[list[AssistantBlock], Field(max_length=MAX_BLOCKS, fail_fast=True)]
AssistantContent = Annotated[
    _AssistantBlocks, BeforeValidator(_as_blocks, json_schema_input_type=str | _AssistantBlocks)
]
