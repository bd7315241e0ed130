"""Tools that the model may call, and what a caller decides about their use. Knows no dialect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function of the caller. `parameters` is the JSON schema of its arguments.

    With `strict` the arguments are certain to follow the schema.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool = False


class ToolMode(StrEnum):
    AUTO = "auto"
    """The model decides whether it calls."""
    NONE = "none"
    """Text only, though the model sees the tools."""
    REQUIRED = "required"
    """At least one call, the model decides which."""
    NAMED = "named"
    """One call, of the one tool that is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """Which calls a reply may or must have.

    `names` limits the calls to these tools, though the model sees all of them; empty: no limit.
    With `parallel` false the reply ends with its first call.
    """

    mode: ToolMode = ToolMode.AUTO
    names: tuple[str, ...] = ()
    parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbox:
    """The tools of one question, with the decision about their use."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)

    @property
    def may_be_called(self) -> bool:
        return bool(self.tools) and self.choice.mode is not ToolMode.NONE
