"""Messages as length-prefixed frames on a byte stream. Knows bytes only, not what they mean."""

import struct

from kernels.errors import GraniteError

MAX_FRAME_BYTES = 16 * 2**20
"""Far above the largest honest message: a prompt of 131,072 ids takes about 0.7 MB."""
LENGTH = struct.Struct("<I")


class ProtocolError(GraniteError):
    """The other side sent bytes that are no message of ours; the connection is useless."""


def encode_frame(payload: bytes) -> bytes:
    """Raises ProtocolError if the payload is longer than a receiver would accept."""
    if len(payload) > MAX_FRAME_BYTES:
        raise ProtocolError(f"a message of {len(payload)} bytes is longer than {MAX_FRAME_BYTES}")
    return LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Cuts a stream into frames. Holds what was received, never what a length merely claims."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take in any piece of the stream and return the payloads it completes.

        Raises:
            ProtocolError: a frame claims to be longer than MAX_FRAME_BYTES.
        """
        self._received += data
        payloads: list[bytes] = []
        while len(self._received) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._received)
            if length > MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame claims {length} bytes, more than {MAX_FRAME_BYTES}")
            end = LENGTH.size + length
            if len(self._received) < end:
                break
            payloads.append(bytes(self._received[LENGTH.size : end]))
            del self._received[:end]
        return payloads
