"""`text`: the form that the model's text is to have."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.constraints import ANY_OBJECT, TextForm
from server.openai.request_model import RequestModel
from server.schema_text import json_schema

FORM_FIELD = "text.format"


class PlainFormat(RequestModel):
    type: Literal["text"]


class JsonObjectFormat(RequestModel):
    type: Literal["json_object"]


class JsonSchemaFormat(RequestModel):
    """With `strict` the text is certain to follow the schema."""

    type: Literal["json_schema"]
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    json_schema: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


class TextFields(RequestModel):
    """What the text is to look like: its form is guaranteed, its length is the model's affair."""

    format: PlainFormat | JsonObjectFormat | JsonSchemaFormat | None = Field(
        None, discriminator="type"
    )
    verbosity: Literal["medium"] | None = None


def text_form(text: TextFields | None) -> TextForm | None:
    """Raises BadRequest for a schema that is none, or too large."""
    wanted = None if text is None else text.format
    match wanted:
        case JsonObjectFormat():
            return json_schema(ANY_OBJECT, FORM_FIELD, is_strict=False)
        case JsonSchemaFormat():
            return json_schema(wanted.json_schema, FORM_FIELD, is_strict=bool(wanted.strict))
        case _:
            return None


def text_object(text: TextFields | None) -> dict[str, Any]:
    """`text` as a response repeats it, with the defaults filled in."""
    wanted = None if text is None else text.format
    shape = {"type": "text"} if wanted is None else wanted.model_dump(by_alias=True)
    return {"format": shape, "verbosity": "medium"}
