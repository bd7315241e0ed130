"""What request models say of their fields beyond types; it becomes part of their JSON schemas.

The documents and the OpenAPI document are made of these, and a test refuses fields without any.
"""

from typing import Any

from pydantic import BaseModel, Field, GetJsonSchemaHandler
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

DEFAULT_IN_WORDS = "x-default"
NO_EFFECT = "x-no-effect"


def does(what: str, *, default: Any = None, otherwise: str | None = None) -> FieldInfo:
    """A field with an effect. Without it, or with null, `default` holds, or what `otherwise` says.

    To be used in `Annotated`, beside further pydantic fields.
    """
    extra: JsonDict = {} if default is None else {"default": default}
    if otherwise is not None:
        extra[DEFAULT_IN_WORDS] = otherwise
    noted: FieldInfo = Field(description=what, json_schema_extra=extra)
    return noted


def harmless(why: str) -> FieldInfo:
    """A field that is checked, and then without effect."""
    noted: FieldInfo = Field(description=why, json_schema_extra={NO_EFFECT: True})
    return noted


def harmless_fields(model: type[BaseModel]) -> frozenset[str]:
    """Names of the fields of a model that are without effect."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get(NO_EFFECT)
    )


class SchemaOf:
    """An annotation of an object that is checked by itself, later: as which models."""

    def __init__(self, *models: type[BaseModel]) -> None:
        self.models = models

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schemas = [handler(model.__pydantic_core_schema__) for model in self.models]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
