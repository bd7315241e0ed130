"""Errors in Anthropic's envelope, with its types and statuses."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.access_log import request_id_of
from server.errors import BadRequest, ContextLengthExceeded, ErrorReply, UnsupportedParameter
from server.named_message import named_message

OVERLOADED = 529
UNTHREADED = "thread_unsupported_request"
"""Makes Anthropic's clients, which try to have conversations kept for them, send all of theirs."""

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}
# Our own code -> the status, where it is another.
_STATUS = {"overloaded": OVERLOADED, "queue_timeout": OVERLOADED, "out_of_memory": OVERLOADED}


class PromptTooLong(BadRequest):
    """The words and numbers that make Claude Code shorten a conversation, and ask again."""

    code = "context_length_exceeded"

    def __init__(self, error: ContextLengthExceeded) -> None:
        most = error.context_length - 1  # leaves one for the reply
        super().__init__(f"prompt is too long: {error.num_tokens} tokens > {most} maximum")


def status_of(reply: ErrorReply) -> int:
    return _STATUS.get(reply.code, reply.status)


def error_body(reply: ErrorReply, request_id: str) -> dict[str, Any]:
    """That of a reply, or of an event in a stream."""
    status = status_of(reply)
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error: dict[str, Any] = {"type": kind, "message": named_message(reply)}
    if reply.code == UnsupportedParameter.code and reply.body["error"]["param"] == "thread":
        error["details"] = {"error_code": UNTHREADED}
    return {"type": "error", "error": error, "request_id": request_id}


def error_response(request: Request, reply: ErrorReply) -> Response:
    body = error_body(reply, request_id_of(request.scope))
    return JSONResponse(body, status_of(reply), reply.headers)
