"""The worker's end of the connection to the API process: a blocking socket, read between steps."""

import socket

from engine.framing import FrameReader
from engine.protocol import Command, Report, decode_command, encode
from kernels.errors import GraniteError

RECEIVE_BYTES = 2**16
MAX_BYTES_A_DRAIN = 2**22
"""However fast commands come in, a step is run after this many bytes of them."""


class ChannelClosed(GraniteError):
    """The API process has let go of the connection, or has ended."""


class Channel:
    """Sends reports at once; hands out commands when asked."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        self._connection = connection
        self._frames = FrameReader()

    def send(self, report: Report) -> None:
        """Waits while the other side does not read. Raises ChannelClosed if it is gone."""
        try:
            self._connection.sendall(encode(report))
        except ConnectionError as error:
            raise ChannelClosed(str(error)) from error

    def receive(self, *, wait: bool) -> list[Command]:
        """All commands that have arrived; with `wait`, at least one.

        Raises:
            ChannelClosed: the other side is gone.
            ProtocolError: it sent something that is not a command.
        """
        commands: list[Command] = []
        num_bytes = 0
        while num_bytes < MAX_BYTES_A_DRAIN:
            data = self._read(wait=wait and not commands)
            if not data:
                break
            num_bytes += len(data)
            commands += [decode_command(payload) for payload in self._frames.feed(data)]
        return commands

    def _read(self, *, wait: bool) -> bytes:
        """The next bytes; empty if none are there yet."""
        try:
            data = self._connection.recv(RECEIVE_BYTES, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""
        except ConnectionError as error:
            raise ChannelClosed(str(error)) from error
        if not data:
            raise ChannelClosed("end of stream")
        return data
