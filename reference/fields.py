"""What the request models say of their fields: the rows of every table, read from JSON schemas."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from reference.words import code, values_in_words
from server.field_notes import DEFAULT_IN_WORDS, NO_EFFECT

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """`values`, `default` and `meaning` are Markdown. Without a meaning it is not classified."""

    name: str
    values: str
    default: str
    meaning: str
    has_effect: bool
    is_required: bool


def fields_of(model: type[BaseModel]) -> list[Field]:
    """Those of the model alone, in their order."""
    return _fields(_resolved(schema := model.model_json_schema(), schema))


def inner_fields(model: type[BaseModel]) -> list[Field]:
    """Those of the objects within, named as `messages[].content`. Each object is told of once."""
    schema = model.model_json_schema()
    return list(dict.fromkeys(_inner(_resolved(schema, schema), schema, "", set())))


def _inner(definition: Schema, whole: Schema, path: str, seen: set[str]) -> Iterator[Field]:
    for name, told in definition.get("properties", {}).items():
        for brackets, inner in _objects_in(told):
            reference = inner.get("$ref", "")
            if reference in seen:
                continue
            resolved = _resolved(inner, whole)
            place = f"{path}{name}{brackets}."
            yield from _fields(resolved, place)
            yield from _inner(resolved, whole, place, seen | ({reference} - {""}))


def _objects_in(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The objects with named fields that a value may be or hold, and how deep in lists they are."""
    if "$ref" in schema or "properties" in schema:
        yield "", schema
    for keyword in ("anyOf", "oneOf"):
        for each in schema.get(keyword, ()):
            yield from _objects_in(each)
    if isinstance(schema.get("items"), dict):
        yield from ((f"[]{brackets}", inner) for brackets, inner in _objects_in(schema["items"]))


def _resolved(schema: Schema, whole: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    definition: Schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    return definition


def _fields(definition: Schema, path: str = "") -> list[Field]:
    required = definition.get("required", ())
    return [
        _field(f"{path}{name}", told, is_required=name in required)
        for name, told in definition.get("properties", {}).items()
    ]


def _field(name: str, schema: Schema, *, is_required: bool) -> Field:
    words = "required" if is_required else schema.get(DEFAULT_IN_WORDS)
    if words is None:
        default = schema.get("default")
        words = "none" if default is None else code(default)
    return Field(
        name=name,
        values=values_in_words(schema),
        default=words,
        meaning=schema.get("description", "").replace("|", "\\|"),
        has_effect=not schema.get(NO_EFFECT, False),
        is_required=is_required,
    )
