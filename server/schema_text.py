"""JSON schemas and grammars as clients give them: bounded, and turned into neutral constraints."""

import json
from collections.abc import Mapping

from server.constraints import JsonSchema
from server.errors import BadRequest, InvalidJson
from server.json_body import parse_json_object

MAX_SOURCE_BYTES = 256 * 1024


def json_schema(
    schema: object, param: str, *, is_strict: bool, is_compact: bool = False
) -> JsonSchema:
    """A schema as a client gave it: an object, `true`, or either of them as text.

    Its depth is bounded already: requests, and schemas as text, are parsed by `server.json_body`.

    Raises:
        BadRequest: it is no schema at all, or too large; names `param`.
    """
    return JsonSchema(schema_text(schema, param), is_strict, is_compact)


def schema_text(schema: object, param: str) -> str:
    """The schema as JSON text. Raises BadRequest as `json_schema`."""
    if isinstance(schema, str):
        schema = _parsed(schema, param)
    if schema is True:
        schema = {}
    if schema is False:
        raise BadRequest(f"{param}: nothing is an instance of the schema false", param)
    if not isinstance(schema, Mapping):
        raise BadRequest(f"{param}: a schema must be an object", param)
    # The compiler's own options are ours to give.
    text = json.dumps({k: v for k, v in schema.items() if k != "x-guidance"}, ensure_ascii=False)
    check_size(text, param)
    return text


def check_size(source: str, param: str) -> None:
    """Raises BadRequest for more text than is worth compiling."""
    if len(source) > MAX_SOURCE_BYTES or len(source.encode()) > MAX_SOURCE_BYTES:
        raise BadRequest(f"{param}: larger than {MAX_SOURCE_BYTES} bytes", param)


def _parsed(text: str, param: str) -> object:
    check_size(text, param)
    if text.strip() in ("true", "false"):
        return text.strip() == "true"
    try:
        return parse_json_object(text.encode())
    except InvalidJson as error:
        raise BadRequest(f"{param}: not a schema as JSON text", param) from error
