"""`response_format`: the form that the text is to have. A schema stands there without a wrapper."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from server.constraints import ANY_OBJECT, TextForm
from server.errors import BadRequest
from server.field_notes import does
from server.openai.constraint_fields import check_parts
from server.openai.request_model import RequestModel
from server.schema_text import json_schema

FIELD = "response_format"


class WorkersResponseFormat(RequestModel):
    """OpenAI's wrapper around the schema, with its `name`, is taken too."""

    type: Annotated[Literal["text", "json_object", "json_schema"], does("the form of the reply")]
    json_schema: Annotated[
        dict[str, Any] | None,
        does(
            "with `json_schema` only: the schema itself, or OpenAI's wrapper with a name around it",
            otherwise="none; required with `json_schema`",
        ),
    ] = None

    @property
    def is_json(self) -> bool:
        return self.type != "text"

    def form(self) -> TextForm | None:
        """Raises BadRequest for a schema that is missing, or cannot be one."""
        check_parts(self.type, json_schema=self.json_schema)
        if self.type == "text":
            return None
        if self.type == "json_object":
            return json_schema(ANY_OBJECT, FIELD, is_strict=False)
        if self.json_schema is None:
            raise BadRequest(f"{FIELD}.json_schema is required", f"{FIELD}.json_schema")
        schema, is_strict = _unwrapped(self.json_schema)
        return json_schema(schema, FIELD, is_strict=is_strict)


def _unwrapped(given: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    wrapped = given.get("schema")
    if isinstance(wrapped, Mapping) and isinstance(given.get("name"), str):
        return wrapped, given.get("strict") is True
    return given, False
