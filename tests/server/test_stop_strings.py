"""The scanner against a reference that sees the whole text, and cases that went wrong elsewhere."""

import pytest
from hypothesis import given, settings, strategies

from server.stop_strings import StopScanner

TEXT = strategies.text(alphabet="abé漢 ", max_size=30)
STOPS = strategies.lists(strategies.text(alphabet="abé漢 ", min_size=1, max_size=5), max_size=4)


def cut(text: str, stops: list[str]) -> tuple[str, str | None]:
    """Character by character: the first stop string that is complete, the longest of those."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            longest = max(complete, key=len)
            return text[: end - len(longest)], longest
    return text, None


@settings(deadline=None)
@given(text=TEXT, stops=STOPS, data=strategies.data())
def test_any_splitting_gives_what_the_whole_text_gives(
    text: str, stops: list[str], data: strategies.DataObject
) -> None:
    places = strategies.lists(strategies.integers(0, len(text)), max_size=8)
    edges = [0, *sorted(data.draw(places)), len(text)]
    scanner = StopScanner(stops)
    pieces = [text[start:end] for start, end in zip(edges, edges[1:], strict=False)]
    sent = "".join(map(scanner.feed, pieces)) + scanner.flush()
    assert (sent, scanner.matched) == cut(text, stops)


@settings(deadline=None)
@given(text=TEXT, stops=STOPS)
def test_only_a_beginning_of_a_stop_string_is_held_back(text: str, stops: list[str]) -> None:
    scanner = StopScanner(stops)
    scanner.feed(text)
    held = scanner.flush()
    assert held == "" or any(stop.startswith(held) and stop != held for stop in stops)


@pytest.mark.parametrize(
    ("stops", "text", "sent", "matched"),
    [
        (["END"], "so ENENDED", "so EN", "END"),
        (["abcd", "bc"], "xabcd", "xa", "bc"),
        (["bc", "abc"], "xabc", "x", "abc"),
        ([".*", "[", "\\d"], "a.b*c \\d", "a.b*c ", "\\d"),
        ([" "], "word word", "word", " "),
        (["\n\n"], "\n\n", "", "\n\n"),
        (["aab"], "aaab", "a", "aab"),
    ],
)
def test_the_cut_is_exact(stops: list[str], text: str, sent: str, matched: str) -> None:
    for size in range(1, len(text) + 1):
        scanner = StopScanner(stops)
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        assert "".join(map(scanner.feed, pieces)) + scanner.flush() == sent
        assert scanner.matched == matched


def test_a_stop_string_that_may_not_count_yet_is_text() -> None:
    scanner = StopScanner(["b", "bc"])
    assert scanner.feed("ab", may_stop=False) == "a"  # "bc" may still come
    assert scanner.feed("x") == "bx"
    assert scanner.feed("b") == ""
    assert scanner.matched == "b"


def test_a_stop_string_begun_before_it_may_count_still_counts_when_it_is_complete() -> None:
    scanner = StopScanner(["b", "bc"])
    scanner.feed("ab", may_stop=False)
    assert scanner.feed("c") == ""
    assert scanner.matched == "bc"


def test_nothing_comes_after_a_match() -> None:
    scanner = StopScanner(["x"])
    assert scanner.feed("axb") == "a"
    assert scanner.feed("more") == ""
    assert scanner.flush() == ""
