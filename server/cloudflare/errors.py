"""Errors in the envelope of Cloudflare's API, with the codes of Workers AI."""

from typing import Any

from starlette.responses import JSONResponse, Response

from server.cloudflare.envelope import failed
from server.errors import BadRequest, ErrorReply
from server.named_message import named_message

BAD_INPUT = 5006
INTERNAL = 3043
NO_LORA = (5005, 405)


class JsonModeNotMet(BadRequest):
    """The reply was cut short, and so is no JSON."""

    code = "json_mode_not_met"

    def __init__(self) -> None:
        super().__init__("JSON Mode couldn't be met: the reply ended before its JSON did")


# Our own code -> theirs, and the status where it is another.
_CODES: dict[str, tuple[int, int | None]] = {
    "model_not_found": (5007, 400),
    "context_length_exceeded": (5021, None),
    "json_mode_not_met": (5024, None),
    "invalid_json": (3003, None),
    "unsupported_media_type": (3003, 400),
    "request_too_large": (3006, None),
    "deadline_exceeded": (3007, 408),
    "queue_timeout": (3007, 408),
    "slow_reader": (3008, None),
    "overloaded": (3040, 429),
    "engine_unavailable": (3040, 429),
    "out_of_memory": (3040, 429),
    "invalid_api_key": (10000, None),
    "not_found": (7003, None),
}


def status_of(reply: ErrorReply) -> int:
    _, status = _code_and_status(reply)
    return status or reply.status


def error_fields(reply: ErrorReply) -> dict[str, Any]:
    code, _ = _code_and_status(reply)
    return {"code": code, "message": _message(reply)}


def _code_and_status(reply: ErrorReply) -> tuple[int, int | None]:
    if reply.code == "unsupported_parameter" and reply.body["error"]["param"] == "lora":
        return NO_LORA
    return _CODES.get(reply.code, (BAD_INPUT if reply.status < 500 else INTERNAL, None))


def error_body(reply: ErrorReply) -> dict[str, Any]:
    return failed([error_fields(reply)])


def error_response(reply: ErrorReply) -> Response:
    return JSONResponse(error_body(reply), status_of(reply), reply.headers)


def _message(reply: ErrorReply) -> str:
    """Of a wrong model in the words that clients of the reference service look for."""
    message = named_message(reply)
    if reply.code != "model_not_found":
        return message
    name = message.removeprefix("The model '").removesuffix("' does not exist")
    return f"No such model {name} or task"
