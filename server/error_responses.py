"""Exceptions to HTTP replies: every way out of a route that is not success, counted and logged."""

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from kernels.errors import GraniteError
from server.errors import ApiError, BadRequest, MethodNotAllowed, NotFound, describe
from server.metrics import Metrics

CLIENT_CLOSED_REQUEST = 499
"""Nobody receives this status. It is for the log, where nginx made it a habit."""

_log = structlog.stdlib.get_logger("granite.server")


def error_response(error: BaseException, metrics: Metrics) -> Response:
    """The reply to any exception, counted by its code."""
    reply = describe(error)
    metrics.request_errors.labels(reply.code).inc()
    return JSONResponse(reply.body, reply.status, reply.headers)


def add_error_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Give every expected error of `app` its reply; unexpected ones stay exceptions."""

    async def on_granite_error(_: Request, error: Exception) -> Response:
        response = error_response(error, metrics)
        if response.status_code in (500, 504):
            _log.error("request failed", error=type(error).__name__, reason=str(error))
        return response

    async def on_framework_error(_: Request, error: Exception) -> Response:
        return error_response(_as_api_error(error), metrics)

    async def on_disconnect(_: Request, error: Exception) -> Response:
        _log.debug("client disconnected", error=type(error).__name__)
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    app.add_exception_handler(GraniteError, on_granite_error)
    app.add_exception_handler(HTTPException, on_framework_error)
    app.add_exception_handler(RequestValidationError, on_framework_error)
    app.add_exception_handler(ClientDisconnect, on_disconnect)


def _as_api_error(error: Exception) -> ApiError:
    if isinstance(error, HTTPException) and error.status_code == 404:
        return NotFound("There is nothing at this path")
    if isinstance(error, HTTPException) and error.status_code == 405:
        return MethodNotAllowed("This path does not take this method", headers=error.headers)
    return BadRequest("The request is not valid")
