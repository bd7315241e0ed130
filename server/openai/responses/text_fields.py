"""`text`: the form that the model's text is to have."""

from typing import Annotated, Any, Literal

from pydantic import Field

from server.constraints import ANY_OBJECT, TextForm
from server.field_notes import does, harmless
from server.openai.constraint_fields import SchemaName
from server.openai.request_model import RequestModel
from server.schema_text import json_schema

FORM_FIELD = "text.format"


class PlainFormat(RequestModel):
    type: Annotated[Literal["text"], does("any text")]


class JsonObjectFormat(RequestModel):
    type: Annotated[Literal["json_object"], does("any JSON object")]


class JsonSchemaFormat(RequestModel):
    """With `strict` the text is certain to follow the schema."""

    type: Annotated[Literal["json_schema"], does("JSON that follows a schema")]
    name: Annotated[SchemaName, harmless("repeated in the response; one form needs no name")]
    json_schema: Annotated[dict[str, Any], does("the schema")] = Field(alias="schema")
    description: Annotated[
        str | None, harmless("repeated in the response; the model is not told of it")
    ] = None
    strict: Annotated[
        bool | None, does("refuse a schema of which a part cannot be guaranteed", default=False)
    ] = None


class TextFields(RequestModel):
    """What the text is to look like: its form is guaranteed, its length is the model's affair."""

    format: Annotated[
        PlainFormat | JsonObjectFormat | JsonSchemaFormat | None,
        does("the form of the text", otherwise="text"),
    ] = Field(None, discriminator="type")
    verbosity: Annotated[Literal["medium"] | None, does("the model's own", default="medium")] = None


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
