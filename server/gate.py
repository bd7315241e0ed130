"""Keeps from the routes: oversized and ambiguous requests, foreign hosts, work while draining."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.error_responses import error_response
from server.errors import ApiError, BadRequest, HeadersTooLarge, ShuttingDown, UriTooLong
from server.lifecycle import Lifecycle
from server.metrics import Metrics
from server.security import HostCheck

MAX_HEADER_BYTES = 64 * 1024
MAX_HEADER_COUNT = 100
MAX_URI_BYTES = 8 * 1024
OPEN_WHILE_DRAINING = ("/health", "/metrics")
_CLOSE = {"connection": "close"}


class Gate:
    """Refuses such requests before routing, and lets HEAD be answered by the GET routes."""

    def __init__(
        self, app: ASGIApp, hosts: HostCheck, lifecycle: Lifecycle, metrics: Metrics
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._lifecycle = lifecycle
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except ApiError as error:
            await error_response(error, self._metrics)(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # the server below drops the body
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        check_sizes(scope)
        check_framing(headers)
        self._hosts.check(headers.get("host", ""))
        if self._lifecycle.is_draining and not scope["path"].startswith(OPEN_WHILE_DRAINING):
            raise ShuttingDown


def check_sizes(scope: Scope) -> None:
    """Raises UriTooLong or HeadersTooLarge."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_URI_BYTES:
        raise UriTooLong(f"The request target is longer than {MAX_URI_BYTES} bytes", headers=_CLOSE)
    headers = scope["headers"]
    num_bytes = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MAX_HEADER_COUNT or num_bytes > MAX_HEADER_BYTES:
        message = f"More than {MAX_HEADER_COUNT} headers or {MAX_HEADER_BYTES} bytes of them"
        raise HeadersTooLarge(message, headers=_CLOSE)


def check_framing(headers: Headers) -> None:
    """Refuse what a proxy in front may have read differently.

    Raises:
        BadRequest: two ways to find the end of the body, or another protocol is wanted.
    """
    if "content-length" in headers and "transfer-encoding" in headers:
        message = "A request has either Content-Length or Transfer-Encoding"
        raise BadRequest(message, headers=_CLOSE)
    if headers.get("upgrade", "").lower() == "websocket":
        raise BadRequest("WebSocket is not supported; use stream: true", headers=_CLOSE)
