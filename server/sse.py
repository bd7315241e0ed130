"""Server-sent events: ready frames out, signs of life during silence. Knows no dialect."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import structlog
from pydantic_core import to_json
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus, SendTimeoutError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from server.disconnect import client_gone
from server.settings import Settings

# These end a line for many readers of lines, though not for JSON nor in the standard for events.
_LINE_BREAKS = {
    "\x85".encode(): rb"\u0085",
    "\u2028".encode(): rb"\u2028",
    "\u2029".encode(): rb"\u2029",
}

_log = structlog.stdlib.get_logger("granite.server")


def data_frame(payload: Mapping[str, Any]) -> bytes:
    """One event whose data is the payload as JSON, on one line for every reader of lines."""
    body = to_json(payload)
    if not body.isascii():
        for line_break, escaped in _LINE_BREAKS.items():
            body = body.replace(line_break, escaped)
    return b"data: " + body + b"\n\n"


def event_frame(payload: Mapping[str, Any]) -> bytes:
    """The same with a name: that of the payload's type."""
    return b"event: " + str(payload["type"]).encode() + b"\n" + data_frame(payload)


def let_streams_finish_on_shutdown() -> None:
    """Keep the library from cutting streams at SIGTERM: the server has its own drain deadline."""
    AppStatus.enable_automatic_graceful_drain = False


def comment(text: str) -> ServerSentEvent:
    return ServerSentEvent(comment=text, sep="\n")


class EventStream(EventSourceResponse):
    """A reply of ready frames, or of none. `on_close` is called at its end, whatever that was.

    The status line waits for the first frame, up to one keep-alive interval: an error in that time
    is raised, and becomes a reply with its own status. A later error becomes the last frame.
    A client that takes nothing for `send_timeout` is cut off.
    """

    def __init__(
        self,
        frames: AsyncGenerator[bytes],
        error_frame: Callable[[Exception], bytes],
        on_close: Callable[[], None],
        settings: Settings,
        headers: Mapping[str, str],
        keep_alive: ServerSentEvent | None = None,
    ) -> None:
        """`keep_alive` is sent during silence in place of a comment."""
        self._frames = frames
        self._error_frame = error_frame
        self._on_close = on_close
        super().__init__(
            frames,
            headers={"Cache-Control": "no-cache", **headers},
            ping=settings.keep_alive_interval,
            ping_message_factory=lambda: keep_alive or comment("keep-alive"),
            send_timeout=settings.send_timeout,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = asyncio.ensure_future(anext(self._frames))
        try:
            await self._wait_for(first, receive)
            self.body_iterator = self._continued(first)
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.warning("client cut off: it took no data", seconds=self.send_timeout)
        finally:
            first.cancel()
            self._on_close()
            await asyncio.gather(first, return_exceptions=True)
            await self._frames.aclose()

    async def _wait_for(self, first: asyncio.Future[bytes], receive: Receive) -> None:
        """Raises whatever kept the first frame from coming, within one keep-alive interval."""
        gone = asyncio.ensure_future(client_gone(receive))
        try:
            await asyncio.wait(
                (first, gone),
                timeout=self.ping_interval,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if first.done():
                with contextlib.suppress(StopAsyncIteration):
                    first.result()
            elif gone.done():
                raise ClientDisconnect
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _continued(self, first: asyncio.Future[bytes]) -> AsyncGenerator[bytes]:
        try:
            with contextlib.suppress(StopAsyncIteration):
                yield await first
            async for frame in self._frames:
                yield frame
        except Exception as error:  # the status line is out: whatever it is can only be an event
            yield self._error_frame(error)
