"""Finds stop strings in text that comes in pieces, and never lets go of half of one."""

from collections.abc import Sequence


class StopScanner:
    """Cuts a growing text at its first stop string.

    The first is the one that is complete first; of several complete at the same character, the one
    that began first. How the text was split into pieces makes no difference. Matching is literal.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.matched: str | None = None
        """The stop string found, once one was."""

    def feed(self, piece: str, *, may_stop: bool = True) -> str:
        """Take the next piece; return the text that is certain not to be part of a stop string.

        With `may_stop` false, a stop string that is completed by this piece is ordinary text.
        After a match, all further text is dropped.
        """
        if self.matched is not None:
            return ""
        text = self._held + piece
        if may_stop and (match := self._first_match(text, already_seen=len(self._held))):
            start, self.matched = match
            self._held = ""
            return text[:start]
        keep = self._longest_possible_beginning(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """The text is complete: return what was held back, as no stop string can follow."""
        rest, self._held = self._held, ""
        return rest

    def _first_match(self, text: str, already_seen: int) -> tuple[int, str] | None:
        """(start, stop) of the first match that ends after the `already_seen` first characters."""
        best: tuple[int, int, str] | None = None  # (end, start, stop)
        for stop in self._stops:
            start = text.find(stop, max(0, already_seen - len(stop) + 1))
            if start >= 0 and (best is None or (start + len(stop), start) < best[:2]):
                best = (start + len(stop), start, stop)
        return None if best is None else (best[1], best[2])

    def _longest_possible_beginning(self, text: str) -> int:
        """Length of the longest end of `text` that is a beginning, not the whole, of a stop."""
        longest = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(text)), longest, -1):
                if text.endswith(stop[:length]):
                    longest = length
                    break
        return longest
