"""Text inside the items of a response's input: one string, or parts of several types."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

MAX_PARTS = 256
INPUT_PARTS = frozenset({"input_text", "output_text", "text", "refusal"})
"""More than OpenAI takes for each role: clients mix them up, and they all are text."""
OTHER_MEDIA = frozenset({"input_image", "input_file", "input_audio", "image_url", "file"})


def as_texts(content: object, kinds: Collection[str] = INPUT_PARTS) -> str | list[str]:
    """The texts of the parts, or the one text that there is.

    Raises:
        PydanticCustomError: anything else, or parts that are not text.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or len(content) > MAX_PARTS:
        message = f"must be a string or a list of up to {MAX_PARTS} text parts"
        raise PydanticCustomError("content_type", "{reason}", {"reason": message})
    return [_text(part, kinds) for part in content]


def _text(part: object, kinds: Collection[str]) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in OTHER_MEDIA:
        raise PydanticCustomError(
            "unsupported_parameter",
            "the model reads text only, not parts of type {kind}",
            {"kind": kind},
        )
    text = None
    if isinstance(part, Mapping) and kind in kinds:
        text = part.get("refusal" if kind == "refusal" else "text")
    if not isinstance(text, str):
        raise PydanticCustomError(
            "content_part", "each part must be an object of a text type with a string 'text'"
        )
    return text


def text_parts(texts: str | list[str], kind: str) -> list[dict[str, Any]]:
    """Parts as stored items have them; `output_text` has two more keys that clients expect."""
    extras: dict[str, Any] = {"annotations": [], "logprobs": []} if kind == "output_text" else {}
    listed = [texts] if isinstance(texts, str) else texts
    return [{"type": kind, "text": text, **extras} for text in listed]
