"""Which token ids a sequence already holds, kept up to date token by token for the penalties."""

from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


class TokenHistory:
    """Distinct ids of prompt and output, and how often each id was generated.

    One per choice. `append` costs O(1), so bookkeeping never grows with the length of the sequence.
    After a preemption the same history is rebuilt from `prompt_ids` and `generated_ids`.
    """

    def __init__(self, prompt_ids: Iterable[int], generated_ids: Iterable[int] = ()) -> None:
        self._seen = set(prompt_ids)
        self._seen_ids = array("q", self._seen)
        self._slots: dict[int, int] = {}  # generated id -> its place in the two arrays below
        self._generated_ids = array("q")
        self._generated_counts = array("q")
        for token_id in generated_ids:
            self.append(token_id)

    def append(self, token_id: int) -> None:
        """Count one more generated token."""
        if token_id not in self._seen:
            self._seen.add(token_id)
            self._seen_ids.append(token_id)
        slot = self._slots.get(token_id)
        if slot is None:
            self._slots[token_id] = len(self._generated_ids)
            self._generated_ids.append(token_id)
            self._generated_counts.append(1)
        else:
            self._generated_counts[slot] += 1

    @property
    def seen_ids(self) -> npt.NDArray[np.int64]:
        """Distinct ids of prompt and output, in no particular order."""
        return np.array(self._seen_ids, dtype=np.int64)

    @property
    def generated_ids(self) -> npt.NDArray[np.int64]:
        """Distinct generated ids, in order of their first appearance."""
        return np.array(self._generated_ids, dtype=np.int64)

    @property
    def generated_counts(self) -> npt.NDArray[np.int64]:
        """How often each of `generated_ids` was generated."""
        return np.array(self._generated_counts, dtype=np.int64)
