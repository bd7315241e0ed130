"""One life of a worker process, from the API's side: spawn it, talk to it, see it gone."""

import asyncio
import os
import socket
from collections.abc import Sequence
from subprocess import DEVNULL, Popen

from engine.framing import FrameReader
from engine.own_python import own_python
from engine.protocol import Command, Report, decode_report, encode

READ_BYTES = 2**16


def worker_command() -> tuple[str, ...]:
    return own_python("engine.__main__")


def _environment() -> dict[str, str]:
    """torch's threads sleep while they wait: spinning would take the cores from this process.

    Tensors of megabytes lie in huge pages, where the system has them: weights and state are read
    whole for every token.
    """
    return {"OMP_WAIT_POLICY": "PASSIVE", "THP_MEM_ALLOC_ENABLE": "1"} | os.environ


class WorkerProcess:
    """A plain Popen: asyncio's own children may lose their exit status when killed as they die."""

    def __init__(
        self, process: Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()

    @classmethod
    async def spawn(cls, command: Sequence[str]) -> "WorkerProcess":
        """Start `command` with the number of its socket's file descriptor as the last argument.

        The worker ends with the thread that calls this, which therefore is the service's main one.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            number = theirs.fileno()
            try:
                arguments = [*command, str(number)]  # our own interpreter, nothing from outside
                process = Popen(  # noqa: S603
                    arguments, pass_fds=(number,), stdin=DEVNULL, env=_environment()
                )
            except OSError:
                writer.close()
                raise
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, command: Command) -> None:
        """Never blocks: how much is unsent is bounded by the admission of requests."""
        self._writer.write(encode(command))

    async def receive(self) -> list[Report] | None:
        """The next reports, perhaps none yet; None when the worker has ended.

        Raises:
            ProtocolError: what it sends is not a report.
        """
        try:
            data = await self._reader.read(READ_BYTES)
        except ConnectionError:
            return None
        return [decode_report(payload) for payload in self._frames.feed(data)] if data else None

    def kill(self) -> None:
        """Safe at any time, also when it has ended."""
        self._process.kill()

    async def end(self) -> int:
        """Leave no process, zombie or open socket behind. Returns the exit status."""
        self.kill()
        self._writer.close()
        return await asyncio.to_thread(self._process.wait)
