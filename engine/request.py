"""The vocabulary of the engine: what is asked in token ids, and what comes back. Knows no text."""

from dataclasses import dataclass
from enum import StrEnum

from sampling.params import MAX_TOP_LOGPROBS, InvalidSamplingParams, SamplingParams


class FinishReason(StrEnum):
    STOP = "stop"
    """The model ended its turn, or produced one of the request's stop token ids."""
    LENGTH = "length"
    """`max_tokens` or the context length is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One prompt to continue `num_choices` times.

    `client` is the fairness key: requests of one client share its turn. Each choice draws its own
    randomness from (seed, choice index, position). `prompt_logprobs` is None, or how many
    alternatives (0 to 20) accompany the log-probability of each prompt token. `grammar` is the
    source that every reply follows, as `sampling.grammar` reads it: each of its tokens is one that
    the grammar allows, and the reply ends where the grammar does. `is_background`: nobody waits for
    it, so it starts when no other request waits, and gives its place to those that come.

    Raises:
        InvalidSamplingParams: `prompt_logprobs` is out of its range.
    """

    request_id: str
    prompt_ids: tuple[int, ...]
    sampling: SamplingParams
    num_choices: int = 1
    client: str = ""
    prompt_logprobs: int | None = None
    grammar: str | None = None
    is_background: bool = False

    def __post_init__(self) -> None:
        if not 0 <= (self.prompt_logprobs or 0) <= MAX_TOP_LOGPROBS:
            message = f"prompt_logprobs must be between 0 and {MAX_TOP_LOGPROBS}"
            raise InvalidSamplingParams("prompt_logprobs", message)


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    token_id: int
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent:
    """One generated token of one choice. The last one of a choice carries its finish reason.

    The end-of-turn or stop token itself is delivered too (it was generated and is counted); whoever
    turns ids into text leaves it out when `finish_reason` is STOP.
    `logprob` and `top_logprobs` are of the model's own distribution, before penalties and filters.
    """

    choice: int
    token_id: int
    logprob: float | None = None
    top_logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class PrefillProgress:
    """How much of a choice's prompt has been read; sent after each step of it, before a token."""

    choice: int
    processed: int
    total: int


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A prompt token under the model's own distribution; `rank` is 1 for the most probable."""

    token_id: int
    logprob: float
    rank: int
    top_logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptLogprobs:
    """Consecutive prompt tokens, the first of them at `position`; told once, before any token.

    Together these events of a choice cover the prompt but for its first token, which nothing
    precedes. Every choice tells them.
    """

    choice: int
    position: int
    tokens: tuple[ScoredToken, ...]


@dataclass(frozen=True, slots=True)
class ChoiceEnded:
    """The end of a choice without any token: its `max_tokens` is 0."""

    choice: int
    finish_reason: FinishReason


GenerationEvent = TokenEvent | PrefillProgress | PromptLogprobs | ChoiceEnded
