"""Errors in RunPod's shape. What becomes of a job that was accepted is no error of a request."""

import uuid

from starlette.responses import JSONResponse, Response

from server.errors import ErrorReply
from server.named_message import named_message

TRY_LATER = 429
"""What clients of the reference service wait for when it is busy; they do not know 503."""


def new_job_id(prefix: str = "") -> str:
    return f"{prefix}{uuid.uuid4()}-u1"


def error_response(reply: ErrorReply) -> Response:
    status = TRY_LATER if reply.code == "overloaded" else reply.status
    return JSONResponse({"error": named_message(reply)}, status, reply.headers)


def refused_job(reply: ErrorReply) -> Response:
    """A job that cannot be begun has failed, and is not kept."""
    if reply.status != 400:
        return error_response(reply)
    told = {
        "id": new_job_id(),
        "status": "FAILED",
        "error": named_message(reply),
    }
    return JSONResponse(told, reply.status, reply.headers)
