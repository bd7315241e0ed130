from hypothesis import given
from hypothesis import strategies as st

from engine.fairness import share_rows


def test_a_small_asker_gets_all_it_wants_and_the_large_one_the_rest() -> None:
    assert share_rows({"long": 5000, "short": 20}, 256) == {"short": 20, "long": 236}


def test_equal_askers_share_equally() -> None:
    assert share_rows({"a": 500, "b": 500}, 256) == {"a": 128, "b": 128}


@given(st.dictionaries(st.text(max_size=2), st.integers(1, 300), max_size=8), st.integers(0, 300))
def test_shares_use_the_budget_exactly_and_never_exceed_a_demand(
    demands: dict[str, int], budget: int
) -> None:
    shares = share_rows(demands, budget)
    assert sum(shares.values()) == min(budget, sum(demands.values()))
    assert all(0 <= shares[client] <= demands[client] for client in demands)
    hungry = [shares[client] for client in demands if shares[client] < demands[client]]
    assert all(max(shares.values()) - share <= 1 for share in hungry)
