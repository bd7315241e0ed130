"""What a reply consists of, in the order in which it comes. Knows no dialect."""

from dataclasses import dataclass
from enum import StrEnum

from engine.request import ScoredToken
from server.text_stream import PlacedToken


class EndReason(StrEnum):
    STOP = "stop"
    """The model ended its turn, or a stop string or stop token ended it."""
    LENGTH = "length"
    """The token limit or the context is used up."""
    TOOL_CALLS = "tool_calls"
    """The model ended its turn with tool calls, and waits for their results."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text of one choice that will not be taken back, and the tokens that it came from.

    Here and below: the text may be empty when there are only tokens to tell of.
    """

    choice: int
    text: str
    tokens: tuple[PlacedToken, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """A tool call, as soon as its name is known; its arguments follow.

    `index` counts the calls of a choice from 0. `id` is random hex; dialects add their own prefix.
    """

    choice: int
    index: int
    id: str
    name: str
    tokens: tuple[PlacedToken, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallArguments:
    """The next piece of the arguments, which together are one JSON object."""

    choice: int
    index: int
    text: str
    tokens: tuple[PlacedToken, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallBroken:
    """A call that was started turned out to be none, as its JSON is malformed or cut short.

    What was sent of it cannot be taken back, but it must not be counted as a call. `text` is all
    that the model wrote for it, so that nothing is lost: content, like the text of a TextDelta.
    """

    choice: int
    index: int
    text: str
    tokens: tuple[PlacedToken, ...] = ()


@dataclass(frozen=True, slots=True)
class ChoiceFinished:
    """The last event of a choice. `stop_string` is the one that ended it, if one did.

    `mean_logprob` is that of all its generated tokens, if they had log-probabilities.
    """

    choice: int
    reason: EndReason
    stop_string: str | None
    mean_logprob: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Prompt tokens of one choice read so far."""

    choice: int
    processed: int
    total: int


@dataclass(frozen=True, slots=True)
class PromptScored:
    """The next prompt tokens' log-probabilities, from the second token on; before any content."""

    choice: int
    tokens: tuple[ScoredToken, ...]


ContentEvent = TextDelta | ToolCallStarted | ToolCallArguments | ToolCallBroken
Event = ContentEvent | ChoiceFinished | Progress | PromptScored


@dataclass(frozen=True, slots=True)
class Usage:
    """Exact token counts. Each prompt counts once, however many choices continue it.

    `cached_tokens` of the prompt tokens were not computed anew.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )
