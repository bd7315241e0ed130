"""Serving: the socket, uvicorn with our limits, and an orderly end. Knows no routes, no model."""

import asyncio
import resource
import signal
import socket
from collections.abc import Awaitable
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from engine.interface import Engine, EngineState
from server.connection import MAX_HEAD_BYTES, ConnectionLimits, LimitedProtocol, protocol_with
from server.errors import StartupError
from server.lifecycle import Lifecycle
from server.settings import Settings

KEEP_ALIVE_SECONDS = 60
"""Longer than the pools of the usual clients keep a connection, so that they close it, not we."""
FAREWELL_SECONDS = 1.0
"""For the last events of streams that were ended, before their connections are cut."""
STOP_SECONDS = 10.0
FORCED_STOP_SECONDS = 1.0
TICKS_PER_SWEEP = 5
BACKLOG = 2048
OPEN_FILES = 4096
SEND_BUFFER_BYTES = 64 * 1024
"""Of each connection in the kernel: a client that stopped reading is noticed after this much."""

_log = structlog.stdlib.get_logger("granite.server")


def bind_socket(settings: Settings) -> socket.socket:
    """Listen before anything slow happens, so that a taken port is known at once.

    Raises:
        StartupError: the address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = error.strerror or error
        raise StartupError(f"cannot listen on {settings.host}:{settings.port}: {reason}") from error
    return listener


def serve(app: FastAPI, settings: Settings, listener: socket.socket) -> int:
    """Serve until a signal or the model's failure. Returns the exit code of the process."""
    _raise_open_file_limit()
    limits = ConnectionLimits(send=settings.send_timeout)
    server = DrainingServer(app, settings, limits)
    host, port = listener.getsockname()[:2]
    _log.info("listening", host=host, port=port)
    server.run(sockets=[listener])
    return server.exit_code


def _raise_open_file_limit() -> None:
    """Room for all connections: the usual soft limit is 1,024, and the rest needs some, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class DrainingServer(uvicorn.Server):
    """On SIGTERM: not ready at once, 503 to new work for a while, then a deadline for the rest.

    SIGINT skips the while: nobody routes to a server that somebody runs by hand. A second signal
    ends everything at once.
    """

    def __init__(self, app: FastAPI, settings: Settings, limits: ConnectionLimits) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol_with(limits),
                ws="none",
                lifespan="on",
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                backlog=BACKLOG,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
            )
        )
        self.exit_code = 0
        self._settings = settings
        self._engine: Engine = app.state.services.engine
        self._lifecycle: Lifecycle = app.state.lifecycle
        self._accept_seconds = 0.0
        self._stop_seconds = STOP_SECONDS
        self._drain_started: float | None = None
        self._logged_state: EngineState | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._lifecycle.is_draining:
            self.force_exit = True
            self.exit_code = 1
            self._stop_seconds = FORCED_STOP_SECONDS
        was_routed_to = self._engine.state is EngineState.READY and sig == signal.SIGTERM
        self._accept_seconds = self._settings.drain_accept if was_routed_to else 0.0
        self._lifecycle.is_draining = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; True ends the main loop."""
        if await super().on_tick(counter):
            return True
        now = asyncio.get_running_loop().time()
        if counter % TICKS_PER_SWEEP == 0:
            self._enforce_limits(now)
        self._log_state_change()
        if self._engine.state is EngineState.FAILED or self._lifecycle.start_failure is not None:
            _log.critical("the model has failed for good; the server ends")
            self.exit_code = 1
            self._lifecycle.is_draining = True
            return True
        return self._is_time_to_leave(now)

    def _log_state_change(self) -> None:
        state = self._engine.state
        if state is not self._logged_state:
            self._logged_state = state
            _log.info("model", state=state)

    def _is_time_to_leave(self, now: float) -> bool:
        if not self._lifecycle.is_draining:
            return False
        if self._drain_started is None:
            self._drain_started = now
            _log.info("draining", accept_seconds=self._accept_seconds)
        return self.force_exit or now - self._drain_started >= self._accept_seconds

    def _enforce_limits(self, now: float) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, LimitedProtocol):
                connection.enforce(now)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door, wait for those inside until the deadline, then end what is left."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await self._is_quiet_within(self._seconds_left()):
            _log.warning("the drain deadline has passed", requests=len(self.server_state.tasks))
            await self._in_time(self._engine.stop())  # streams send its error as their last event
            await self._is_quiet_within(0.0 if self.force_exit else FAREWELL_SECONDS)
            self._cut_connections()
        await self._in_time(self.lifespan.shutdown())
        _log.info("stopped")

    def _seconds_left(self) -> float:
        if self._drain_started is None or self.exit_code:
            return FAREWELL_SECONDS
        deadline = self._drain_started + self._settings.drain_timeout
        return max(0.0, deadline - asyncio.get_running_loop().time())

    async def _is_quiet_within(self, seconds: float) -> bool:
        """Wait until no connection and no request is left; False if some are at the end."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self.server_state.connections or self.server_state.tasks:
            if self.force_exit or loop.time() >= deadline:
                return False
            self._enforce_limits(loop.time())
            await asyncio.sleep(0.05)
        return True

    async def _in_time(self, stopping: Awaitable[None]) -> None:
        try:
            await asyncio.wait_for(stopping, self._stop_seconds)
        except TimeoutError:
            _log.warning("the engine did not stop in time", seconds=self._stop_seconds)

    def _cut_connections(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
