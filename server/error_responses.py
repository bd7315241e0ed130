"""Exceptions to HTTP replies: every way out of a route that is not success, counted and logged."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from kernels.errors import GraniteError
from server.errors import BadRequest, ErrorReply, MethodNotAllowed, NotFound, describe
from server.json_shapes import STRING, Schema, or_null, record
from server.metrics import Metrics

CLIENT_CLOSED_REQUEST = 499
"""Nobody receives this status. It is for the log, where nginx made it a habit."""

Shape = Callable[[ErrorReply], Response]

PLAIN_ERROR = record(
    "Error",
    error=record(message=STRING, type=STRING, param=or_null(STRING), code=STRING),
)

_log = structlog.stdlib.get_logger("granite.server")


def error_response(error: BaseException, metrics: Metrics) -> Response:
    """The reply to any exception in OpenAI's shape, counted by its code."""
    reply = describe(error)
    metrics.request_errors.labels(reply.code).inc()
    return JSONResponse(reply.body, reply.status, reply.headers)


def failure(error: Exception, metrics: Metrics) -> ErrorReply:
    """What any exception is to the client, counted by its code, logged if it is the server's."""
    reply = describe(_as_api_error(error))
    metrics.request_errors.labels(reply.code).inc()
    if reply.status in (500, 504):
        trace = None if isinstance(error, GraniteError) else error
        name = type(error).__name__
        _log.error("request failed", error=name, reason=str(error), exc_info=trace)
    return reply


@dataclass(frozen=True, slots=True)
class ErrorNotes:
    """What the OpenAPI document tells of the errors of a dialect."""

    schema: Schema
    status_of: Callable[[ErrorReply], int]


class ShapedRoute(APIRoute):
    """A route whose errors are not OpenAI's."""

    errors: ClassVar[ErrorNotes]


def shaped_errors(shape: Shape, metrics: Metrics, schema: Schema) -> type[ShapedRoute]:
    """As `errors_shaped_for_request`, of a dialect whose errors say nothing of the request."""
    notes = ErrorNotes(schema, lambda reply: shape(reply).status_code)
    return errors_shaped_for_request(lambda _, reply: shape(reply), metrics, notes)


def errors_shaped_for_request(
    shape: Callable[[Request, ErrorReply], Response], metrics: Metrics, notes: ErrorNotes
) -> type[ShapedRoute]:
    """The `route_class` of a dialect whose errors do not look like OpenAI's.

    `shape` writes the errors of its routes, of the key check and of bugs, and `notes` tell of
    them. What is refused before routing (server.gate) and paths that no route has keep OpenAI's.
    """

    class DialectRoute(ShapedRoute):
        errors = notes

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_shaped(request: Request) -> Response:
                try:
                    return await handle(request)
                except ClientDisconnect:
                    raise
                except Exception as error:  # a bug's reply must have the dialect's shape too
                    return shape(request, failure(error, metrics))

            return handle_shaped

    return DialectRoute


def add_error_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Give every expected error of `app` its reply; unexpected ones stay exceptions."""

    async def on_expected_error(_: Request, error: Exception) -> Response:
        reply = failure(error, metrics)
        return JSONResponse(reply.body, reply.status, reply.headers)

    async def on_disconnect(_: Request, error: Exception) -> Response:
        _log.debug("client disconnected", error=type(error).__name__)
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    for kind in (GraniteError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, on_expected_error)
    app.add_exception_handler(ClientDisconnect, on_disconnect)


def _as_api_error(error: Exception) -> Exception:
    """The framework's own errors in our terms; all others as they are."""
    if isinstance(error, HTTPException) and error.status_code == 404:
        return NotFound("There is nothing at this path")
    if isinstance(error, HTTPException) and error.status_code == 405:
        return MethodNotAllowed("This path does not take this method", headers=error.headers)
    if isinstance(error, HTTPException | RequestValidationError):
        return BadRequest("The request is not valid")
    return error
