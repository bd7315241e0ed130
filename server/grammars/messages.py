"""What the server and the processes that check grammars say to each other, as framed msgpack."""

import socket
from typing import TypeVar

import msgspec

from engine.framing import LENGTH, encode_frame
from server.constraints import Constraint


class Vocabulary(msgspec.Struct, frozen=True, tag=True):
    """The first message to the nursery: the model's tokens. `control_tokens` has text to id."""

    token_bytes: list[bytes]
    control_tokens: dict[str, int]
    eos_ids: list[int]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The nursery has the vocabulary, or a process has begun."""


class Check(msgspec.Struct, frozen=True, tag=True):
    """Answered by Accepted or Refused within `seconds` of processor time, or by an end."""

    constraint: Constraint
    seconds: float


class Accepted(msgspec.Struct, frozen=True, tag=True):
    """`source` is for the engine; `warnings` name the parts of a schema that it leaves out."""

    source: str
    warnings: list[str]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """`reason` is fit for a client."""

    reason: str


Message = Vocabulary | Ready | Check | Accepted | Refused
Expected = TypeVar("Expected", bound=Message)


def encoded(message: Message) -> bytes:
    return encode_frame(msgspec.msgpack.encode(message))


def send(connection: socket.socket, message: Message) -> None:
    connection.sendall(encoded(message))


def receive(connection: socket.socket, kind: type[Expected]) -> Expected | None:
    """The next message, and not a byte of what comes after it. None at the end."""
    head = _read(connection, LENGTH.size)
    payload = _read(connection, *LENGTH.unpack(head)) if head else b""
    return msgspec.msgpack.decode(payload, type=kind) if payload else None


def _read(connection: socket.socket, count: int) -> bytes:
    """Empty where the stream ends before."""
    data = bytearray()
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            return b""
        data += piece
    return bytes(data)
