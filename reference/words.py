"""Says in words what values a JSON schema takes, and renders values for a Markdown table."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

UNBOUNDED = 2**31 - 1
"""From here on a limit is the machine's, and no news to a reader."""
SEED_RANGE = (-(2**63), 2**63 - 1)


def values_in_words(schema: Schema) -> str:
    """What a field takes, beside null: `text (1 to 256 characters) or list (up to 16) of text`."""
    if "$ref" in schema:
        return "object"
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return _alternatives(schema[keyword])
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    return _typed(schema)


def code(value: object) -> str:
    """A JSON value as it is written in a request; a bar would end the cell of a table."""
    return f"`{json.dumps(value, ensure_ascii=False)}`".replace("|", "\\|")


def _alternatives(schemas: Sequence[Schema]) -> str:
    given = [values_in_words(each) for each in schemas if each.get("type") != "null"]
    return " or ".join(dict.fromkeys(given)) or code(None)


def _typed(schema: Schema) -> str:
    match schema.get("type"):
        case "boolean":
            return "boolean"
        case "integer" | "number":
            return _number(schema)
        case "string":
            return f"text{_size(schema, 'Length', ' characters')}{_pattern(schema)}"
        case "array":
            items = schema.get("items") or {}
            return f"list{_size(schema, 'Items')} of {values_in_words(items)}"
        case "object":
            return _object(schema)
        case "null":
            return code(None)
    return "any value"


def _number(schema: Schema) -> str:
    kind, least, most = schema["type"], schema.get("minimum"), schema.get("maximum")
    if (least, most) == SEED_RANGE:
        return f"64-bit {kind}"
    return f"{kind}{_range(least, most)}"


def _object(schema: Schema) -> str:
    values = schema.get("additionalProperties")
    if "properties" in schema or not isinstance(values, Mapping) or not values:
        return f"object{_size(schema, 'Properties', ' entries')}"
    return f"object{_size(schema, 'Properties', ' entries')} of {values_in_words(values)}"


def _size(schema: Schema, of: str, unit: str = "") -> str:
    return _range(schema.get(f"min{of}"), schema.get(f"max{of}"), unit)


def _range(least: float | None, most: float | None, unit: str = "") -> str:
    if most is not None and most >= UNBOUNDED:
        most = None
    if least is not None and most is not None:
        return f" ({least} to {most}{unit})"
    if most is not None:
        return f" (up to {most}{unit})"
    return "" if least is None else f" ({least} or more{unit})"


def _pattern(schema: Schema) -> str:
    pattern = schema.get("pattern")
    return f" like `{pattern}`".replace("|", "\\|") if pattern else ""
