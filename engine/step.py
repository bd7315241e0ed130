"""What the scheduler asks of the runner for one step, and what the runner answers. No tensors."""

from collections.abc import Sequence as ReadOnlySequence
from dataclasses import dataclass
from typing import Protocol

from engine.errors import EngineError
from engine.request import ScoredToken, TokenLogprob
from engine.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Chunk:
    """Compute rows `start` to `stop - 1` of a sequence."""

    sequence: Sequence
    start: int
    stop: int

    @property
    def wants_token(self) -> bool:
        """All known tokens are computed after this chunk, so the next one can be drawn."""
        return self.stop == len(self.sequence.tokens)

    @property
    def scored_rows(self) -> range:
        """Prompt rows that tell how probable the token after them is: the last ones that do not
        draw, as all of them come before the first token is drawn.
        """
        first = max(self.start, self.sequence.num_scored)
        return range(first, min(self.stop, self.sequence.num_scored + self.sequence.num_unscored))


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step. `reset_slots` are zeroed before anything is computed."""

    chunks: tuple[Chunk, ...]
    reset_slots: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """The token drawn for a chunk; `logprob` and `top_logprobs` as in `TokenEvent`."""

    token_id: int
    logprob: float | None = None
    top_logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptScores:
    """The scores of a chunk's `scored_rows`, and the token drawn for it, if one was."""

    tokens: tuple[ScoredToken, ...]
    drawn: NewToken | None


ChunkResult = NewToken | PromptScores | EngineError | None
"""None: nothing to draw yet. An error fails this chunk's request only."""


@dataclass(frozen=True, slots=True)
class StepFailed:
    """The step raised as a whole; the states of all its sequences are unknown."""

    error: EngineError


StepResults = ReadOnlySequence[ChunkResult] | StepFailed
"""One result per chunk, in the plan's order."""


class StepRunner(Protocol):
    """Whatever computes plans: network and sampler, or a fake. Counts the seconds spent in each."""

    forward_seconds: float
    sampling_seconds: float

    def run(self, plan: StepPlan) -> StepResults: ...
