"""What the API process and the worker process say to each other, as msgpack. No pickle, no code.

The first message each way carries the version; each side refuses another version than its own.
"""

import msgspec

from engine.errors import (
    DeadlineExceeded,
    EngineError,
    GrammarFailed,
    NumericError,
    OutOfMemory,
    QueueTimeout,
)
from engine.framing import ProtocolError, encode_frame
from engine.interface import EngineInfo, EngineStats
from engine.options import EngineOptions
from engine.request import (
    ChoiceEnded,
    GenerationRequest,
    PrefillProgress,
    PromptLogprobs,
    TokenEvent,
)
from kernels.errors import GraniteError

PROTOCOL_VERSION = 1


class Start(msgspec.Struct, frozen=True, tag=True):
    version: int
    options: EngineOptions


class Submit(msgspec.Struct, frozen=True, tag=True):
    """`generation` is the client's number for this request, never used twice in a worker's life."""

    generation: int
    request: GenerationRequest


class Cancel(msgspec.Struct, frozen=True, tag=True):
    generation: int


Command = Start | Submit | Cancel


class Hello(msgspec.Struct, frozen=True, tag=True):
    version: int


class Loading(msgspec.Struct, frozen=True, tag=True):
    progress: float


class Ready(msgspec.Struct, frozen=True, tag=True):
    info: EngineInfo


class LoadFailed(msgspec.Struct, frozen=True, tag=True):
    """The checkpoint cannot be served; trying again would not help."""

    message: str


class Token(msgspec.Struct, frozen=True, tag=True):
    generation: int
    event: TokenEvent


class Progress(msgspec.Struct, frozen=True, tag=True):
    generation: int
    event: PrefillProgress


class Scores(msgspec.Struct, frozen=True, tag=True):
    generation: int
    event: PromptLogprobs


class Ended(msgspec.Struct, frozen=True, tag=True):
    generation: int
    event: ChoiceEnded


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The last word on a generation; `error` is the name of an EngineError class."""

    generation: int
    error: str
    message: str


class Closed(msgspec.Struct, frozen=True, tag=True):
    """The last word on a generation that was cancelled."""

    generation: int


Word = Token | Progress | Scores | Ended | Failed | Closed
"""What a step may say about one generation."""


class StepDone(msgspec.Struct, frozen=True, tag=True):
    outputs: list[Word]
    stats: EngineStats


Report = Hello | Loading | Ready | LoadFailed | StepDone


def encode(message: Command | Report) -> bytes:
    """One whole frame."""
    return encode_frame(msgspec.msgpack.encode(message))


def decode_command(payload: bytes) -> Command:
    """Raises ProtocolError for anything but a valid command."""
    try:
        command: Command = msgspec.msgpack.decode(payload, type=Command)
    except (msgspec.MsgspecError, GraniteError) as error:
        raise ProtocolError(f"not a command: {error}") from error
    return command


def decode_report(payload: bytes) -> Report:
    """Raises ProtocolError for anything but a valid report."""
    try:
        report: Report = msgspec.msgpack.decode(payload, type=Report)
    except (msgspec.MsgspecError, GraniteError) as error:
        raise ProtocolError(f"not a report: {error}") from error
    return report


def failed(generation: int, error: EngineError) -> Failed:
    return Failed(generation, type(error).__name__, str(error))


def error_of(failure: Failed) -> EngineError:
    """The error that the worker meant."""
    known = (DeadlineExceeded, GrammarFailed, NumericError, OutOfMemory, QueueTimeout)
    by_name: dict[str, type[EngineError]] = {error.__name__: error for error in known}
    return by_name.get(failure.error, EngineError)(failure.message)
