"""What a caller may demand of the form of a reply, in one neutral form. Knows no dialect.

Values that compare, hash and cross to another process; whether they make sense is found out there.
"""

import msgspec

ANY_OBJECT = '{"type":"object"}'


class JsonSchema(msgspec.Struct, frozen=True, tag=True):
    """JSON that is an instance of `schema`, itself JSON as text.

    Strict: a schema of which a part cannot be guaranteed is refused; otherwise that part is left
    out. Members are separated as in `{"a": 1, "b": [2, 3]}`, or compactly without spaces; there
    is no other white space that a model could lose itself in.
    """

    schema: str
    is_strict: bool = True
    is_compact: bool = False


class Regex(msgspec.Struct, frozen=True, tag=True):
    """Text that matches as a whole. In Rust's syntax: no look-around, no references back."""

    pattern: str


class Choice(msgspec.Struct, frozen=True, tag=True):
    """One of these texts."""

    options: tuple[str, ...]


class Lark(msgspec.Struct, frozen=True, tag=True):
    """Text of a context-free grammar, in llguidance's dialect of Lark."""

    source: str


class Gbnf(msgspec.Struct, frozen=True, tag=True):
    """Text of a context-free grammar, in llama.cpp's notation."""

    source: str


TextForm = JsonSchema | Regex | Choice | Lark | Gbnf
"""What can be demanded of a reply without calls."""


class CallableFunction(msgspec.Struct, frozen=True):
    """A function that may be called, with arguments as `JsonSchema` has it."""

    name: str
    parameters: str
    is_strict: bool


class ToolCalls(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Well-formed calls of these functions, and nothing else in a call.

    `is_required`: at least one call, and no text. Otherwise there may be text, and calls after it;
    with `content`, either calls or such text. `may_repeat`: several calls.
    """

    functions: tuple[CallableFunction, ...]
    is_required: bool
    may_repeat: bool
    content: TextForm | None = None


Constraint = TextForm | ToolCalls
