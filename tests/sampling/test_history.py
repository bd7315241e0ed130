from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.history import TokenHistory

token_ids = st.lists(st.integers(0, 12), max_size=40)


def counts(history: TokenHistory) -> dict[int, int]:
    ids, times = history.generated_ids.tolist(), history.generated_counts.tolist()
    return dict(zip(ids, times, strict=True))


@settings(deadline=None, derandomize=True)
@given(prompt=token_ids, generated=token_ids)
def test_appending_counts_like_counting_everything_again(
    prompt: list[int], generated: list[int]
) -> None:
    history = TokenHistory(prompt)
    for end, token_id in enumerate(generated, start=1):
        history.append(token_id)
        assert counts(history) == Counter(generated[:end])
        assert sorted(history.seen_ids.tolist()) == sorted({*prompt, *generated[:end]})


def test_a_rebuilt_history_equals_the_one_grown_token_by_token() -> None:
    grown = TokenHistory([1, 2, 2])
    for token_id in (7, 2, 7):
        grown.append(token_id)
    rebuilt = TokenHistory([1, 2, 2], [7, 2, 7])
    assert counts(rebuilt) == counts(grown) == {7: 2, 2: 1}
    assert rebuilt.seen_ids.tolist() == grown.seen_ids.tolist()


def test_ids_handed_out_are_snapshots() -> None:
    history = TokenHistory([1], [2])
    seen, generated = history.seen_ids, history.generated_counts
    history.append(3)
    history.append(2)
    assert seen.tolist() == [1, 2]
    assert generated.tolist() == [1]
