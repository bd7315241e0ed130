"""`text`: the form that the model's text is to have."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.openai.request_model import RequestModel


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
    format: PlainFormat | JsonObjectFormat | JsonSchemaFormat | None = Field(
        None, discriminator="type"
    )
    verbosity: Literal["medium"] | None = None


def text_object(text: TextFields | None) -> dict[str, Any]:
    """`text` as a response repeats it, with the defaults filled in."""
    wanted = None if text is None else text.format
    shape = {"type": "text"} if wanted is None else wanted.model_dump(by_alias=True)
    return {"format": shape, "verbosity": "medium"}
