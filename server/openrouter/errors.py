"""Errors in OpenRouter's shape: the HTTP status as `code`, and a stable `error_type` beside it."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from server.errors import ErrorReply

_STATUS = {
    "model_not_found": 400,
    "worker_died": 502,
    "numeric_error": 502,
    "deadline_exceeded": 408,
}
"""Where the reference service has another status than OpenAI; by our own code."""

_TYPE_BY_CODE = {
    "context_length_exceeded": "context_length_exceeded",
    "invalid_prompt": "invalid_prompt",
    "slow_reader": "timeout",
}
_TYPE_BY_STATUS = {
    401: "authentication",
    403: "permission_denied",
    404: "not_found",
    408: "timeout",
    413: "payload_too_large",
    429: "rate_limit_exceeded",
    502: "provider_unavailable",
    503: "provider_overloaded",
}


def status_of(reply: ErrorReply) -> int:
    return _STATUS.get(reply.code, reply.status)


def error_fields(reply: ErrorReply) -> dict[str, Any]:
    """The `error` object of a body or of a chunk. A 500 keeps its own code to itself."""
    status, told = status_of(reply), reply.body["error"]
    metadata = {"error_type": _error_type(reply.code, status)}
    if status != 500:
        metadata["provider_code"] = reply.code
    if told["param"] is not None:
        metadata["param"] = told["param"]
    return {"code": status, "message": _message(reply.code, told), "metadata": metadata}


def error_response(reply: ErrorReply) -> Response:
    return JSONResponse({"error": error_fields(reply)}, status_of(reply), reply.headers)


def _error_type(code: str, status: int) -> str:
    fallback = "invalid_request" if status < 500 else "server"
    return _TYPE_BY_CODE.get(code) or _TYPE_BY_STATUS.get(status, fallback)


def _message(code: str, told: Mapping[str, Any]) -> str:
    """Of a wrong model in the words that clients of the reference service look for."""
    message: str = told["message"]
    if code != "model_not_found":
        return message
    name = message.removeprefix("The model '").removesuffix("' does not exist")
    return f"{name} is not a valid model ID"
