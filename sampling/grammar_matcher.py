"""How far one reply has come in its grammar: the id that must come next, or the ids that may."""

import time
from collections import deque
from dataclasses import dataclass

import llguidance
import numpy as np

from kernels.errors import GraniteError
from sampling.grammar import GrammarVocabulary
from sampling.penalties import Allowed


class GrammarStuck(GraniteError):
    """The grammar became too complex on the way, or nothing can follow what was generated."""


@dataclass(slots=True)
class MatchClock:
    """Seconds that all matchers which share it have taken."""

    seconds: float = 0.0


class GrammarMatcher:
    """One for each choice. Deterministic: the same ids always have the same followers.

    Where the grammar ends, the vocabulary's first end-of-sequence id is the only one that may come.
    """

    def __init__(
        self, state: llguidance.LLMatcher, vocabulary: GrammarVocabulary, clock: MatchClock
    ) -> None:
        """`state` is in its first state and not used by anyone else.

        Raises:
            GrammarStuck: nothing can be generated at all.
        """
        self._state = state
        self._vocabulary = vocabulary
        self._clock = clock
        self._forced: deque[int] = deque()
        self._allowed: Allowed | None = None
        self._has_ended = False
        self._look_ahead()

    def copy(self, clock: MatchClock) -> "GrammarMatcher":
        """Another matcher that has come as far."""
        twin = GrammarMatcher.__new__(GrammarMatcher)
        twin._state = self._state.deep_copy()
        twin._vocabulary = self._vocabulary
        twin._clock = clock
        twin._forced = self._forced.copy()
        twin._allowed = self._allowed
        twin._has_ended = self._has_ended
        return twin

    @property
    def forced_id(self) -> int | None:
        """The id that comes next, if there is no alternative to it."""
        return self._forced[0] if self._forced else None

    @property
    def next_ids(self) -> int | Allowed:
        """The only id that may come next, or which ones may. Not asked after the end."""
        if self._forced:
            return self._forced[0]
        if self._allowed is None:
            raise GrammarStuck("nothing follows the end of a grammar")
        return self._allowed

    def accept(self, token_id: int) -> None:
        """Take in the next id of the reply.

        Raises:
            GrammarStuck: the grammar does not allow it here, or cannot go on after it.
        """
        started = time.perf_counter()
        if not self._may_follow(token_id):
            raise GrammarStuck(f"token {token_id} is not allowed here")
        self._has_ended = token_id in self._vocabulary.eos_ids
        if not self._has_ended and not self._state.consume_token(token_id):
            raise GrammarStuck(self._state.get_error())
        self._allowed = None
        if self._forced:
            self._forced.popleft()
        if not self._forced and not self._has_ended:
            self._look_ahead()
        self._clock.seconds += time.perf_counter() - started

    def _may_follow(self, token_id: int) -> bool:
        ids = self.next_ids
        return token_id == ids if isinstance(ids, int) else bool(ids[token_id])

    def _look_ahead(self) -> None:
        """Find the ids that are forced or, where there are none, those that are allowed."""
        self._forced.extend(self._spelt_without_choice())
        if not self._forced:
            self._allowed = self._mask()
            self._forced.extend(self._only_id(self._allowed))

    def _spelt_without_choice(self) -> list[int]:
        """Ids of the text that has to follow, as the model's tokenizer spells it, or of the end."""
        forced = self._state.compute_ff_tokens()
        if not forced and self._state.is_stopped() and not self._state.is_error():
            return [self._vocabulary.eos_ids[0]]
        return forced

    def _mask(self) -> Allowed:
        bits = np.frombuffer(self._state.compute_bitmask(), np.uint8)
        if self._state.is_error():
            raise GrammarStuck(self._state.get_error())
        allowed = np.unpackbits(bits, count=self._vocabulary.size, bitorder="little")
        return allowed.view(np.bool_)

    def _only_id(self, allowed: Allowed) -> list[int]:
        """The one allowed id, where all ids that end the sequence count as one."""
        ids = np.flatnonzero(allowed)[: len(self._vocabulary.eos_ids) + 1].tolist()
        if not ids:
            raise GrammarStuck("no token of the vocabulary can follow")
        is_decided = len(ids) == 1 or set(ids) <= set(self._vocabulary.eos_ids)
        return ids[:1] if is_decided else []
