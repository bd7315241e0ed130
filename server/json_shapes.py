"""Small words for JSON schemas written by hand: what replies look like, what a query takes."""

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
NULL: Schema = {"type": "null"}
ANYTHING: Schema = {}


def record(title: str | None = None, /, **properties: Schema) -> Schema:
    """An object that has at least these properties. One with a title is told of once, by name."""
    named: Schema = {} if title is None else {"title": title}
    return {**named, "type": "object", "properties": properties, "required": [*properties]}


def list_of(item: Schema, **limits: int) -> Schema:
    return {"type": "array", "items": item, **limits}


def one_of(*values: str | int | bool) -> Schema:
    return {"enum": list(values)}


def always(value: str | int | bool) -> Schema:
    return {"const": value}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL]}


def either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def told(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def whole_number(low: int, high: int, description: str, default: int | None = None) -> Schema:
    told_default: Schema = {} if default is None else {"default": default}
    limits = {"minimum": low, "maximum": high}
    return {"type": "integer", **limits, **told_default, "description": description}
