"""What the server and the process that checks grammars say to each other, as framed msgpack."""

import msgspec

from server.constraints import Constraint


class Vocabulary(msgspec.Struct, frozen=True, tag=True):
    """The first message: the tokens of the model. `control_tokens` has text to id."""

    token_bytes: list[bytes]
    control_tokens: dict[str, int]
    eos_ids: list[int]


class Check(msgspec.Struct, frozen=True, tag=True):
    """Answered by one Accepted or Refused; `seconds` later the checker ends itself."""

    constraint: Constraint
    seconds: int


class Accepted(msgspec.Struct, frozen=True, tag=True):
    """`source` is for the engine; `warnings` name the parts of a schema that it leaves out."""

    source: str
    warnings: list[str]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """`reason` is fit for a client."""

    reason: str


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The vocabulary is loaded."""


Answer = Ready | Accepted | Refused
