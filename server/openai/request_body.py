"""From JSON to a request model: refuses what is wrong by name, and lists what nobody knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from server.errors import BadRequest, ModelNotFound, UnsupportedParameter
from server.json_body import read_json_object
from server.openai.field_policy import refuse_unsupported
from server.openai.request_model import RequestBody
from server.services import Services

IGNORED_FIELDS_HEADER = "x-ignored-fields"
MAX_NAMED_FIELDS = 16
MAX_NAME_LENGTH = 64

# For what pydantic says in terms of Python.
_WORDS = {
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least {min_length} entry",
}
_FIELDS_WITH_PATHS = (
    "messages",
    "stream_options",
    "tools",
    "functions",
    "documents",
    "input",
    "policy",
    "text",
    "provider",
    "plugins",
    "usage",
    "system",
    "tool_choice",
    "output_config",
    "output_format",
    "thinking",
    "context_management",
    "cache_control",
)

Body = TypeVar("Body", bound=RequestBody)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[Body]):
    """`headers` names the fields of the body that had no meaning."""

    request: Body
    headers: dict[str, str]


def parse_body(model: type[Body], body: Mapping[str, Any], *, strict_fields: bool) -> Parsed[Body]:
    """Check one JSON object against a request model.

    Raises:
        UnsupportedParameter: a field known from OpenAI or a peer asks for what we do not do.
        BadRequest: a value is wrong, or (with `strict_fields`) a field is unknown.
    """
    refused = model.refused_fields.keys() - model.model_fields.keys()
    refuse_unsupported(body, {name: model.refused_fields[name] for name in refused})
    known = {name: value for name, value in body.items() if name not in refused}
    try:
        request = model.model_validate(known)
    except ValidationError as error:
        raise _first_error(error) from None
    return Parsed(request, naming(request.unknown_fields(), strict_fields=strict_fields))


def naming(unknown: Sequence[str], *, strict_fields: bool) -> dict[str, str]:
    """The header that names the fields that nobody knows, if there are any.

    Raises:
        BadRequest: with `strict_fields` there must be none.
    """
    if unknown and strict_fields:
        raise BadRequest(f"unknown field: {_shown(unknown[0])}", _shown(unknown[0]))
    return {IGNORED_FIELDS_HEADER: _header_value(unknown)} if unknown else {}


def check_body(model: type[Body], body: Mapping[str, Any], services: Services) -> Parsed[Body]:
    """Parse and check the body of one request, up to the name of the model.

    Raises:
        ApiError: one of the fields or their combination is wrong.
        ModelNotFound: the model is not one of the served names.
    """
    parsed = parse_body(model, body, strict_fields=services.settings.strict_fields)
    parsed.request.check_combinations()
    wanted = parsed.request.wanted_models
    if wanted and not any(name in services.model_names for name in wanted):
        raise ModelNotFound(wanted[0])
    return parsed


async def read_request(model: type[Body], request: Request, services: Services) -> Parsed[Body]:
    """Read and check the body of one request.

    Raises:
        ApiError: as `check_body`; or the body is not one strict JSON object.
    """
    body = await read_json_object(request, services.settings.max_body_bytes)
    return check_body(model, body, services)


def _first_error(error: ValidationError) -> BadRequest:
    details = error.errors(include_url=False, include_input=False)[0]
    param = _param(details)
    words = details["msg"]
    if details["type"] in _WORDS:
        words = _WORDS[details["type"]].format_map(details.get("ctx", {}))
    if details["type"] == "unsupported_parameter":
        return UnsupportedParameter(param, words)
    if details["type"] == "missing":
        return BadRequest(f"{param} is required", param)
    return BadRequest(f"{param}: {words}", param)


def _param(details: ErrorDetails) -> str:
    """`("messages", 3, "content")` as `messages[3].content`; of other fields only the name."""
    first, *rest = details["loc"]
    path = _shown(str(first))
    if path in _FIELDS_WITH_PATHS:
        for step in rest:
            if isinstance(step, int):
                path += f"[{step}]"
            elif not step.startswith("<"):  # the tag of a union
                path += f".{_shown(step)}"
    return path


def _header_value(names: Sequence[str]) -> str:
    shown = [_shown(name) for name in names[:MAX_NAMED_FIELDS]]
    return ", ".join(shown + ["..."] * (len(names) > MAX_NAMED_FIELDS))


def _shown(name: str) -> str:
    """A header must not end in a blank, so that even a name of nothing shows something."""
    return quote(name[:MAX_NAME_LENGTH], safe="[]._-") or '""'
