"""One HTTP/1.1 connection: uvicorn's h11 protocol, with the deadlines and limits that it lacks.

h11 bounds the size of a request's head and is strict about its grammar. What it lets through
(both framings at once, header counts) is refused in server/gate.py.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.errors import ApiError, BadRequest, HeadersTooLarge, error_body

MAX_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Seconds from one phase of a connection to the next, and how many connections there may be.

    A body has `body` seconds, and another one for each `body_pace` bytes of it that have come: a
    large file may take its time, while a drip is cut off. `linger` is how long the rest of a body
    is thrown away after an early reply: closing at once would reset the connection before the
    client has read why.
    """

    head: float = 10.0
    body: float = 30.0
    body_pace: int = 64 * 1024
    linger: float = 5.0
    send: float = 30.0
    max_connections: int = 1024


class LimitedProtocol(H11Protocol):
    """`enforce` is called for every connection a few times a second, instead of a timer each."""

    limits: ClassVar[ConnectionLimits]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._phase: tuple[object, ...] = ()
        self._phase_since = self.loop.time()
        self._received = 0
        self._unsent = 0
        self._unsent_since = self.loop.time()
        if len(self.connections) > self.limits.max_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)

    def _make_room(self) -> None:
        """Close the connection that has been idle for longest, or this one if all are at work."""
        idle = [other for other in self.connections if isinstance(other, LimitedProtocol)]
        idle = [other for other in idle if other is not self and other.is_idle]
        victim = min(idle, key=lambda other: other._phase_since, default=self)
        victim.transport.abort()

    @property
    def is_idle(self) -> bool:
        return self.conn.their_state is h11.IDLE

    def enforce(self, now: float) -> None:
        """Close the connection if its phase has lasted too long or its client takes no data."""
        phase = (self.cycle, self.conn.their_state, self.conn.our_state)
        if phase != self._phase:
            self._phase, self._phase_since, self._received = phase, now, 0
        elif now - self._phase_since > self._seconds_allowed():
            self.transport.close()
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._unsent_since = now
        elif now - self._unsent_since > self.limits.send:
            self.transport.abort()
        self._unsent = unsent

    def _seconds_allowed(self) -> float:
        if self.conn.their_state is h11.SEND_BODY:
            if self.conn.our_state is h11.DONE:
                return self.limits.linger
            return self.limits.body + self._received / self.limits.body_pace
        is_waiting_for_head = self.is_idle and self.timeout_keep_alive_task is None
        return self.limits.head if is_waiting_for_head else float("inf")

    def send_400_response(self, msg: str) -> None:
        """Answer in our shape what h11 refused with the exception being handled; then close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._write_error(_refusal(msg, sys.exc_info()[1]))
        self.transport.close()

    def _write_error(self, error: ApiError) -> None:
        body = json.dumps(error_body(error)).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        response = h11.Response(status_code=error.status, headers=headers)
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")

    def _should_upgrade(self) -> bool:
        """Never, and without a warning: it is refused like any other bad request."""
        return False


def _refusal(message: str, cause: BaseException | None) -> ApiError:
    is_too_large = getattr(cause, "error_status_hint", 400) == 431
    return HeadersTooLarge(message) if is_too_large else BadRequest(message)


def protocol_with(limits: ConnectionLimits) -> type[LimitedProtocol]:
    """The protocol class for one server; uvicorn creates the instances itself."""
    return type("ServerProtocol", (LimitedProtocol,), {"limits": limits})
