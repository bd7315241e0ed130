"""What the worker and the process of one grammar say to each other, as framed msgpack."""

from collections.abc import Sequence

import msgspec


class Compile(msgspec.Struct, frozen=True, tag=True):
    """The first message. Answered by Compiled or Stuck."""

    source: str


class Advance(msgspec.Struct, frozen=True, tag=True):
    """The next ids of a reply, which begins with its first ones. Answered by an Answer."""

    reply: int
    token_ids: Sequence[int]


class Forget(msgspec.Struct, frozen=True, tag=True):
    """The reply has ended; it is possible that it never began. Not answered."""

    reply: int


Question = Compile | Advance | Forget


class Forced(msgspec.Struct, frozen=True, tag=True):
    """These ids follow, without an alternative to any of them; more may be forced after them."""

    token_ids: Sequence[int]


class Choice(msgspec.Struct, frozen=True, tag=True):
    """One bit for each id that may follow, as in `sampling.grammar_matcher`."""

    mask: bytes


class Stuck(msgspec.Struct, frozen=True, tag=True):
    """Nothing can follow; the reply is forgotten."""

    reason: str


Followers = Forced | Choice


class Compiled(msgspec.Struct, frozen=True, tag=True):
    """`beginning` may follow where a reply has no ids yet."""

    vocab_size: int
    eos_ids: Sequence[int]
    beginning: Followers


class Answer(msgspec.Struct, frozen=True, tag=True):
    """`seconds` of processor time were taken to find it."""

    reply: int
    seconds: float
    found: Followers | Stuck


Report = Compiled | Stuck | Answer
