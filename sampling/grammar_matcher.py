"""How far one reply has come in its grammar: the ids that must come next, or those that may."""

from collections import deque

import llguidance
import numpy as np

from kernels.errors import GraniteError
from sampling.grammar import GrammarVocabulary
from sampling.penalties import Allowed


class GrammarStuck(GraniteError):
    """The grammar became too complex on the way, or nothing can follow what was generated."""


class GrammarMatcher:
    """One for each choice. Deterministic: the same ids always have the same followers.

    Where the grammar ends, the vocabulary's first end-of-sequence id is the only one that may come.
    Hostile grammars take seconds for a token, without letting other threads run.
    """

    def __init__(self, state: llguidance.LLMatcher, vocabulary: GrammarVocabulary) -> None:
        """`state` is in its first state and not used by anyone else.

        Raises:
            GrammarStuck: nothing can be generated at all.
        """
        self._state = state
        self._vocabulary = vocabulary
        self._forced: deque[int] = deque()
        self._mask = b""
        self._has_ended = False
        self._look_ahead()

    def copy(self) -> "GrammarMatcher":
        """Another matcher that has come as far."""
        twin = GrammarMatcher.__new__(GrammarMatcher)
        twin._state = self._state.deep_copy()
        twin._vocabulary = self._vocabulary
        twin._forced = self._forced.copy()
        twin._mask = self._mask
        twin._has_ended = self._has_ended
        return twin

    @property
    def forced_ids(self) -> tuple[int, ...]:
        """The ids that come next without an alternative, as far as that is known."""
        return tuple(self._forced)

    @property
    def mask(self) -> bytes:
        """Where nothing is forced, one bit for each id that may come next; see `unpacked`."""
        return self._mask

    @property
    def next_ids(self) -> int | Allowed:
        """The only id that may come next, or which ones may. Not asked after the end."""
        if self._forced:
            return self._forced[0]
        if self._has_ended:
            raise GrammarStuck("nothing follows the end of a grammar")
        return unpacked(self._mask, self._vocabulary.size)

    def accept(self, token_id: int) -> None:
        """Take in the next id of the reply.

        Raises:
            GrammarStuck: the grammar does not allow it here, or cannot go on after it.
        """
        if not self._may_follow(token_id):
            raise GrammarStuck(f"token {token_id} is not allowed here")
        self._has_ended = token_id in self._vocabulary.eos_ids
        if not self._has_ended and not self._state.consume_token(token_id):
            raise GrammarStuck(self._state.get_error())
        if self._forced:
            self._forced.popleft()
        if not self._forced and not self._has_ended:
            self._look_ahead()

    def _may_follow(self, token_id: int) -> bool:
        ids = self.next_ids
        return token_id == ids if isinstance(ids, int) else bool(ids[token_id])

    def _look_ahead(self) -> None:
        """Find the ids that are forced or, where there are none, those that are allowed."""
        self._forced.extend(self._spelt_without_choice())
        if not self._forced:
            self._mask = self._state.compute_bitmask()
            if self._state.is_error():
                raise GrammarStuck(self._state.get_error())
            self._forced.extend(self._only_id())

    def _spelt_without_choice(self) -> list[int]:
        """Ids of the text that has to follow, as the model's tokenizer spells it, or of the end."""
        forced = self._state.compute_ff_tokens()
        if not forced and self._state.is_stopped() and not self._state.is_error():
            return [self._vocabulary.eos_ids[0]]
        return forced

    def _only_id(self) -> list[int]:
        """The one allowed id, where all ids that end the sequence count as one."""
        eos_ids = self._vocabulary.eos_ids
        count = int(np.bitwise_count(np.frombuffer(self._mask, np.uint8)).sum(dtype=np.int64))
        if count > len(eos_ids):
            return []
        ids = np.flatnonzero(unpacked(self._mask, self._vocabulary.size)).tolist()
        if not ids:
            raise GrammarStuck("no token of the vocabulary can follow")
        is_decided = len(ids) == 1 or set(ids) <= set(eos_ids)
        return ids[:1] if is_decided else []


def unpacked(mask: bytes, vocab_size: int) -> Allowed:
    bits = np.frombuffer(mask, np.uint8)
    return np.unpackbits(bits, count=vocab_size, bitorder="little").view(np.bool_)
