"""One choice of one request inside the engine: its tokens, its memory, and when it is finished."""

from dataclasses import dataclass, field
from enum import Enum, auto

from engine.grammars.interface import Matcher
from engine.request import FinishReason, GenerationRequest
from sampling.history import TokenHistory

MOST_DECODE_ROWS = 16
"""The rows of a token and of those that a grammar forces after it; more wait like a prompt."""


Line = tuple[bool, str]
"""Whether it is of the background, and whose it is."""


class Phase(Enum):
    WAITING = auto()
    """Holds no slot and no pages: not started yet, or preempted."""
    RUNNING = auto()
    """Holds a slot, and pages for its computed rows."""
    ENDED = auto()


@dataclass(slots=True, eq=False, kw_only=True)
class Sequence:
    """`tokens` is the prompt and what was generated; rows 0 to `num_computed - 1` are in the state.

    `history` counts the same tokens for the sampler, and like them outlives a preemption. `arrival`
    orders all sequences by age. `num_scored` prompt rows have told how probable the token after
    them is, which a preemption does not undo. Until `suspect_until` rows are computed again, the
    sequence runs alone: it took part in a step that raised. `matcher` knows what the grammar lets
    follow the newest token; like the tokens, it outlives a preemption. A sequence that is not
    `is_ready` sits steps out until its matcher knows. The first `num_untold` generated tokens are
    read with the prompt, and told when it has been read.
    """

    generation: int
    choice: int
    arrival: int
    request: GenerationRequest
    matcher: Matcher | None = None
    tokens: list[int] = field(init=False)
    history: TokenHistory = field(init=False)
    phase: Phase = Phase.WAITING
    num_computed: int = 0
    slot: int = -1
    pages: list[int] = field(default_factory=list)
    num_preemptions: int = 0
    suspect_until: int = 0
    last_step: int = -1
    num_scored: int = 0
    num_untold: int = 0
    is_ready: bool = True

    def __post_init__(self) -> None:
        self.tokens = list(self.request.prompt_ids)
        self.history = TokenHistory(self.tokens)

    def append(self, token_id: int) -> None:
        """Take in a generated token; its row is not computed yet.

        Raises:
            GrammarStuck: the grammar does not allow it.
        """
        self.tokens.append(token_id)
        self.history.append(token_id)
        if self.matcher is not None:
            self.matcher.accept(token_id)

    @property
    def client(self) -> str:
        return self.request.client

    @property
    def is_background(self) -> bool:
        return self.request.is_background

    @property
    def line(self) -> Line:
        """Where it waits; the sequences of a line share its turns and its rows."""
        return self.request.is_background, self.request.client

    @property
    def seniority(self) -> tuple[bool, int]:
        """Sorts sequences by who goes first: those that somebody waits for, and the oldest."""
        return self.is_background, self.arrival

    @property
    def num_generated(self) -> int:
        return len(self.tokens) - len(self.request.prompt_ids)

    @property
    def num_unread(self) -> int:
        """Generated tokens whose rows are not computed yet."""
        return len(self.tokens) - max(len(self.request.prompt_ids), self.num_computed)

    @property
    def has_begun(self) -> bool:
        """Some of its reply has been told."""
        return self.num_generated > self.num_untold

    @property
    def max_length(self) -> int:
        """Tokens of prompt and longest reply."""
        return len(self.request.prompt_ids) + self.request.sampling.max_tokens

    @property
    def num_remaining(self) -> int:
        """Known tokens whose rows are not computed yet."""
        return len(self.tokens) - self.num_computed

    @property
    def num_unscored(self) -> int:
        """Prompt rows that still have to tell how probable the token after them is."""
        if self.request.prompt_logprobs is None:
            return 0
        return len(self.request.prompt_ids) - 1 - self.num_scored

    @property
    def is_decoding(self) -> bool:
        """Only the newest tokens are missing from the state: a few, if a grammar forced some.

        What starts (again) reads its tokens first, however few they are.
        """
        has_state = self.has_begun and self.num_computed > 0
        return has_state and self.num_remaining <= MOST_DECODE_ROWS

    @property
    def is_suspect(self) -> bool:
        return self.num_computed < self.suspect_until


def finish_reason(
    sequence: Sequence, eos_token_ids: frozenset[int], context_length: int
) -> FinishReason | None:
    """Whether the newest token, already appended, ends the sequence; stopping wins over length.

    A grammar that has ended leaves nothing to add, neither for `min_tokens` nor for `ignore_eos`.
    """
    sampling = sequence.request.sampling
    token = sequence.tokens[-1]
    if sequence.matcher is not None and token in eos_token_ids:
        return FinishReason.STOP
    if sequence.num_generated > sampling.min_tokens:
        if token in sampling.stop_token_ids:
            return FinishReason.STOP
        if token in eos_token_ids and not sampling.ignore_eos:
            return FinishReason.STOP
    if sequence.num_generated >= sampling.max_tokens or len(sequence.tokens) >= context_length:
        return FinishReason.LENGTH
    return None


def suppressed_token_ids(sequence: Sequence, eos_token_ids: frozenset[int]) -> frozenset[int]:
    """What must not be drawn next: tokens that would end it too early, and eos if ignored."""
    sampling = sequence.request.sampling
    if sequence.num_generated < sampling.min_tokens:
        return eos_token_ids.union(sampling.stop_token_ids)
    if sampling.ignore_eos:
        return eos_token_ids.difference(sampling.stop_token_ids)
    return frozenset()
