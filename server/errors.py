"""The one error tree, and what each error is to an HTTP client: status, type, code, text.

GraniteError                       kernels.errors
├── ApiError                       raised by this layer, shown to the client as it is
│   ├── BadRequest            400  invalid_value
│   │   ├── InvalidJson       400  invalid_json
│   │   ├── UnsupportedParameter  400  unsupported_parameter
│   │   ├── JsonModeNotMet    400  json_mode_not_met; server.cloudflare.errors
│   │   ├── ContextLengthExceeded 400  context_length_exceeded
│   │   ├── PromptTooLong     400  context_length_exceeded; server.anthropic.errors
│   │   └── PreviousResponseNotFound 400  previous_response_not_found
│   ├── InvalidApiKey         401  invalid_api_key
│   ├── HostNotAllowed        403  host_not_allowed
│   ├── NotFound              404  not_found
│   │   └── ModelNotFound     404  model_not_found
│   ├── MethodNotAllowed      405  method_not_allowed
│   ├── BodyTooLarge          413  request_too_large
│   ├── UriTooLong            414  uri_too_long
│   ├── UnsupportedMediaType  415  unsupported_media_type
│   ├── HeadersTooLarge       431  headers_too_large
│   └── ShuttingDown          503  shutting_down
├── InvalidSamplingParams     400  invalid_value; sampling.params
├── InvalidText               400  invalid_text; model_loader.tokenizer
├── InvalidConversation       400  invalid_conversation; model_loader.conversation
├── EngineError                    engine.errors
│   ├── QueueFull             503  overloaded
│   ├── EngineUnavailable     503  engine_unavailable
│   │   └── QueueTimeout      503  queue_timeout
│   ├── DeadlineExceeded      504  deadline_exceeded
│   ├── WorkerDied            500  worker_died
│   ├── InvalidRequest        400  invalid_prompt
│   ├── GrammarFailed         400  grammar_failed
│   ├── NumericError          500  numeric_error
│   ├── OutOfMemory           503  out_of_memory
│   └── SlowReader            408  slow_reader
├── CheckerGone               503  checker_unavailable; server.grammars.errors
├── StorageUnavailable        503  storage_unavailable; server.storage.errors
│   ├── StorageFull           507  storage_full
│   └── StorageOff            404  storage_off
├── StartupError                   before there are clients, like
├── InvalidSettings                server.settings, and
├── CheckpointError                model_loader.errors, with its subclasses
└── any other                 500  server_error; a bug, or an error of another process
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine import errors as engine_errors
from kernels.errors import GraniteError
from model_loader.conversation import InvalidConversation
from model_loader.tokenizer import InvalidText
from sampling.params import InvalidSamplingParams
from server.grammars.errors import CheckerGone
from server.storage.errors import StorageFull, StorageOff, StorageUnavailable

MAX_MESSAGE_LENGTH = 500
MAX_ECHO_LENGTH = 200
_NOT_PRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class ApiError(GraniteError):
    """An answer other than success, in words for the client; `param` names the field at fault."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_value"

    def __init__(
        self, message: str, param: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.param = param
        self.headers = dict(headers or {})


class BadRequest(ApiError):
    """A field of the request is missing, wrong, or wrong in combination with another."""


class InvalidJson(BadRequest):
    """The body is not one strict JSON object."""

    code = "invalid_json"


class UnsupportedParameter(BadRequest):
    """The request asks for something that OpenAI or a peer has and this server has not."""

    code = "unsupported_parameter"

    def __init__(self, param: str, message: str | None = None) -> None:
        super().__init__(message or f"{shown(param)} is not supported by this server", param)


class ContextLengthExceeded(BadRequest):
    """Prompt and reply do not fit. The text has OpenAI's wording, which clients search for.

    `asked` says what does not fit: "your prompt resulted in 5000 tokens". `num_tokens` is how many
    that are, or are at least.
    """

    code = "context_length_exceeded"

    def __init__(self, context_length: int, num_tokens: int, asked: str, param: str) -> None:
        self.context_length = context_length
        self.num_tokens = num_tokens
        super().__init__(
            f"This model's maximum context length is {context_length} tokens. However, {asked}. "
            "Please reduce the length of the prompt or the completion.",
            param,
        )


class PreviousResponseNotFound(BadRequest):
    """The response to be continued, or one that it continues, is not there (any more)."""

    code = "previous_response_not_found"

    def __init__(self, response_id: str) -> None:
        message = f"Previous response with id '{shown(response_id)}' not found."
        super().__init__(message, "previous_response_id")


class InvalidApiKey(ApiError):
    status = 401
    code = "invalid_api_key"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"www-authenticate": "Bearer"})


class HostNotAllowed(ApiError):
    status = 403
    code = "host_not_allowed"


class NotFound(ApiError):
    status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    code = "model_not_found"

    def __init__(self, model: str) -> None:
        super().__init__(f"The model '{shown(model)}' does not exist", "model")


class MethodNotAllowed(ApiError):
    status = 405
    code = "method_not_allowed"


class BodyTooLarge(ApiError):
    status = 413
    code = "request_too_large"


class UriTooLong(ApiError):
    status = 414
    code = "uri_too_long"


class UnsupportedMediaType(ApiError):
    status = 415
    code = "unsupported_media_type"


class HeadersTooLarge(ApiError):
    status = 431
    code = "headers_too_large"


class StartupError(GraniteError):
    """The server cannot start on this machine; the text is one line that says why."""


class ShuttingDown(ApiError):
    status = 503
    type = "server_error"
    code = "shutting_down"

    def __init__(self) -> None:
        headers = {"retry-after": "5", "connection": "close"}
        super().__init__("The server is shutting down", headers=headers)


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What an exception is to the client. `body` is OpenAI's error object, at most 4 KiB long."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


@dataclass(frozen=True, slots=True)
class _Shape:
    """`message` replaces the error's own text, which is for the operator unless None."""

    status: int
    code: str
    message: str | None = None
    retry_after: int | None = None


_SHAPES: Mapping[type[GraniteError], _Shape] = {
    InvalidSamplingParams: _Shape(400, "invalid_value"),
    InvalidText: _Shape(400, "invalid_text"),
    InvalidConversation: _Shape(400, "invalid_conversation"),
    engine_errors.InvalidRequest: _Shape(400, "invalid_prompt"),
    engine_errors.QueueFull: _Shape(503, "overloaded", "The server is busy: its queue is full"),
    engine_errors.EngineUnavailable: _Shape(
        503, "engine_unavailable", "The model is not ready to answer"
    ),
    engine_errors.QueueTimeout: _Shape(
        503, "queue_timeout", "The request waited too long for its turn"
    ),
    engine_errors.DeadlineExceeded: _Shape(504, "deadline_exceeded", "The request took too long"),
    engine_errors.WorkerDied: _Shape(
        500, "worker_died", "The model worker ended while it answered this request"
    ),
    engine_errors.GrammarFailed: _Shape(400, "grammar_failed"),
    engine_errors.NumericError: _Shape(
        500, "numeric_error", "The model produced non-finite numbers for this request"
    ),
    engine_errors.OutOfMemory: _Shape(
        503, "out_of_memory", "Not enough memory to finish this request", retry_after=10
    ),
    CheckerGone: _Shape(
        503, "checker_unavailable", "Grammars cannot be compiled at the moment", retry_after=5
    ),
    engine_errors.SlowReader: _Shape(
        408, "slow_reader", "The client did not read its reply in time"
    ),
    StorageUnavailable: _Shape(
        503, "storage_unavailable", "Stored objects cannot be reached at the moment", retry_after=10
    ),
    StorageFull: _Shape(507, "storage_full", "There is no room left for stored objects"),
    StorageOff: _Shape(404, "storage_off", "This server keeps nothing: its storage is off"),
}
_UNEXPECTED = _Shape(500, "server_error", "The server had an error while answering this request")


def describe(error: BaseException) -> ErrorReply:
    """The reply to any exception. Texts of errors that are not for clients never get out."""
    if isinstance(error, ApiError):
        message, kind, code = str(error), error.type, error.code
        status, param, headers = error.status, error.param, error.headers
    else:
        shape = shape_of(type(error))
        message, status, code = shape.message or str(error), shape.status, shape.code
        kind = "invalid_request_error" if status < 500 else "server_error"
        param = getattr(error, "param", None) if status == 400 else None
        headers = _retry_after(error, shape)
    detail = {
        "message": printable(message, MAX_MESSAGE_LENGTH),
        "type": kind,
        "param": None if param is None else shown(param),
        "code": code,
    }
    return ErrorReply(status, {"error": detail}, headers)


def error_body(error: BaseException) -> dict[str, Any]:
    """OpenAI's error object for any exception: the body of a reply, or of an event in a stream."""
    return describe(error).body


def printable(text: str, max_length: int) -> str:
    """Bounded, on one line, without control characters and lone surrogates."""
    clean = _NOT_PRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[: max_length + 1])
    return clean if len(text) <= max_length else clean[: max_length - 1] + "…"


def shown(text: str) -> str:
    """A piece of the client's own input, fit to be named in a message."""
    return printable(text, MAX_ECHO_LENGTH)


def shape_of(error_type: type[BaseException]) -> _Shape:
    for ancestor in error_type.__mro__:
        if ancestor in _SHAPES:
            return _SHAPES[ancestor]
    return _UNEXPECTED


def _retry_after(error: BaseException, shape: _Shape) -> dict[str, str]:
    seconds = getattr(error, "retry_after", shape.retry_after)
    return {} if seconds is None else {"retry-after": str(seconds)}
