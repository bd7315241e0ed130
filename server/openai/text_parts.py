"""Content as clients write it: one text, or parts of which each is an object with a text."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from server.field_notes import does, harmless
from server.openai.request_model import RequestModel

MAX_CONTENT_PARTS = 256
_OTHER_MEDIA = frozenset({"image_url", "input_audio", "file", "video_url", "audio_url"})


class TextPart(RequestModel):
    type: Annotated[Literal["text"], does("the kind of the part")]
    text: Annotated[str, does("shown to the model")]
    cache_control: Annotated[Any, harmless("what is kept for later prompts needs no marks")] = None


class RefusalPart(RequestModel):
    """What a model said before, instead of an answer."""

    type: Annotated[Literal["refusal"], does("the kind of the part")]
    refusal: Annotated[str, does("shown to the model")]

    @property
    def text(self) -> str:
        return self.refusal


Part = TypeVar("Part", bound=RequestModel)


def as_parts(
    content: object, kinds: Mapping[str, type[Part]], other_media: Collection[str], least: int
) -> str | list[Part]:
    """Text stays text; a list of objects becomes one of parts, each of the model for its type.

    Raises:
        PydanticCustomError: anything else.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not least <= len(content) <= MAX_CONTENT_PARTS:
        message = f"must be a string or a list of {least} to {MAX_CONTENT_PARTS} text parts"
        raise PydanticCustomError("content_type", "{reason}", {"reason": message})
    return [_as_part(part, kinds, other_media) for part in content]


def _as_part(part: object, kinds: Mapping[str, type[Part]], other_media: Collection[str]) -> Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if isinstance(part, Mapping) and isinstance(kind, str):
        text = part.get("refusal" if kind == "refusal" else "text")
        if kind in kinds and isinstance(text, str):
            return kinds[kind].model_validate(part)
        if kind in other_media:
            raise PydanticCustomError(
                "unsupported_parameter",
                "the model reads text only, not parts of type {kind}",
                {"kind": kind},
            )
    raise PydanticCustomError(
        "content_part", "each part must be an object of a text type with a string 'text'"
    )


ChatPart = TextPart | RefusalPart
_KINDS: Mapping[str, type[ChatPart]] = {"text": TextPart, "refusal": RefusalPart}


def _as_content(content: object) -> str | list[ChatPart] | None:
    return None if content is None else as_parts(content, _KINDS, _OTHER_MEDIA, least=1)


Content = Annotated[
    str | list[ChatPart] | None,
    PlainValidator(
        _as_content,
        json_schema_input_type=str
        | Annotated[list[ChatPart], Field(min_length=1, max_length=MAX_CONTENT_PARTS)]
        | None,
    ),
]


def texts_of(content: str | Sequence[ChatPart] | None) -> str | tuple[str, ...]:
    """What the model reads: one text, or several that stay apart."""
    if content is None or isinstance(content, str):
        return content or ""
    return tuple(part.text for part in content)
