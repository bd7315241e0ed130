"""The outermost layer: a request id and a log line for every request, unexpected errors as 500.

Pure ASGI: a wrapper that reads responses would make a stream that broke off look complete.
"""

import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.error_responses import error_response
from server.errors import shown
from server.metrics import Metrics

_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_QUIET_PREFIXES = ("/health", "/metrics")

_log = structlog.stdlib.get_logger("granite.access")


class AccessLog:
    """Logs method, path, status and duration; never bodies, query strings or credentials."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._run(scope, receive, send, request_id)

    async def _run(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = headers["request-id"] = request_id  # Anthropic's name
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        started = time.monotonic()
        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            # Not raised further: the server below would log it again. A reply that has begun
            # is left incomplete, and the server cuts the connection, so the client can tell.
            _log.error("unexpected error", exc_info=error)
            if status is None:
                await error_response(error, self._metrics)(scope, receive, send_with_id)
        finally:
            self._log_request(scope, status, time.monotonic() - started)

    def _log_request(self, scope: Scope, status: int | None, seconds: float) -> None:
        write = _log.debug if scope["path"].startswith(_QUIET_PREFIXES) else _log.info
        write(
            "request",
            method=shown(scope["method"]),
            path=shown(scope["path"]),
            status=status,
            seconds=round(seconds, 4),
            client=scope["client"][0] if scope.get("client") else None,
        )


def request_id_of(scope: Scope) -> str:
    request_id: str = scope["state"]["request_id"]
    return request_id


def _request_id(proposed: str | None) -> str:
    if proposed is not None and _CLIENT_REQUEST_ID.fullmatch(proposed):
        return proposed
    return f"req_{uuid.uuid4().hex}"
