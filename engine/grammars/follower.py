"""One reply under a grammar, as the engine follows it; the grammar itself is in another process."""

from collections import deque

from engine.grammars.link import GrammarLink
from engine.grammars.messages import Compiled, Followers, Forced
from sampling.grammar_matcher import GrammarStuck, unpacked
from sampling.penalties import Allowed


class Follower:
    """Implements `engine.grammars.interface.Matcher`.

    What is forced is known for many ids in advance, so the other process hears of these together.
    """

    def __init__(self, link: GrammarLink, compiled: Compiled) -> None:
        self._link = link
        self._reply = link.open()
        self._vocab_size = compiled.vocab_size
        self._eos_ids = frozenset(compiled.eos_ids)
        self._forced: deque[int] = deque()
        self._allowed: Allowed | None = None
        self._untold: list[int] = []
        self._is_waiting = False
        self._take(compiled.beginning)

    def look(self) -> bool:
        if self._is_waiting:
            found = self._link.answer(self._reply)
            if found is None:
                return False
            self._is_waiting = False
            self._take(found)
        return True

    @property
    def forced_id(self) -> int | None:
        return self._forced[0] if self._forced else None

    @property
    def next_ids(self) -> int | Allowed:
        if self._forced:
            return self._forced[0]
        if self._allowed is None:
            raise GrammarStuck("it is not known what may follow")
        return self._allowed

    def accept(self, token_id: int) -> None:
        ids = self.next_ids
        if token_id != ids if isinstance(ids, int) else not ids[token_id]:
            raise GrammarStuck(f"token {token_id} is not allowed here")
        self._untold.append(token_id)
        self._allowed = None
        if self._forced:
            self._forced.popleft()
        if not self._forced and token_id not in self._eos_ids:
            self._link.ask(self._reply, self._untold)
            self._untold = []
            self._is_waiting = True

    def close(self) -> None:
        self._link.close(self._reply)

    def _take(self, found: Followers) -> None:
        if isinstance(found, Forced):
            self._forced.extend(found.token_ids)
        else:
            self._allowed = unpacked(found.mask, self._vocab_size)
