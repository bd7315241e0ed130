"""Text inside the items of a response's input: one string, or parts of several types."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from server.field_notes import does, harmless
from server.openai.request_model import RequestModel
from server.openai.text_parts import MAX_CONTENT_PARTS, RefusalPart, as_parts

_OTHER_MEDIA = frozenset({"input_image", "input_file", "input_audio", "image_url", "file"})
SentBack = harmless("sent back from an earlier response; the model is not shown it")


class InputPart(RequestModel):
    """Of more types than OpenAI takes for each role: clients mix them up, and they all are text."""

    type: Annotated[Literal["input_text", "output_text", "text"], does("the kind of the part")]
    text: Annotated[str, does("shown to the model")]
    annotations: Annotated[Any, SentBack] = None
    logprobs: Annotated[Any, SentBack] = None


Part = InputPart | RefusalPart
_KINDS: Mapping[str, type[Part]] = {
    "input_text": InputPart,
    "output_text": InputPart,
    "text": InputPart,
    "refusal": RefusalPart,
}


def _as_content(content: object) -> str | list[Part]:
    return as_parts(content, _KINDS, _OTHER_MEDIA, least=0)


Content = Annotated[
    str | list[Part],
    PlainValidator(
        _as_content,
        json_schema_input_type=str | Annotated[list[Part], Field(max_length=MAX_CONTENT_PARTS)],
    ),
]


def stored_parts(content: str | Sequence[Part], kind: str) -> list[dict[str, Any]]:
    """Parts as stored items have them; `output_text` has two more keys that clients expect."""
    extras: dict[str, Any] = {"annotations": [], "logprobs": []} if kind == "output_text" else {}
    texts = [content] if isinstance(content, str) else [part.text for part in content]
    return [{"type": kind, "text": text, **extras} for text in texts]
