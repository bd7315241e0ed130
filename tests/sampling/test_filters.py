from typing import Any

import numpy as np
import pytest

from sampling.draw import draw_token
from sampling.params import SamplingParams

ALMOST_ONE = 1 - 2.0**-53


def drawable(logits: list[float], **fields: Any) -> list[int]:
    """Ids in the order in which growing uniform numbers reach them."""
    scores = np.array(logits, dtype=np.float32)
    params = SamplingParams(max_tokens=1, **fields)
    numbers = [*np.linspace(0, 1, 400, endpoint=False).tolist(), ALMOST_ONE]
    drawn = [draw_token(scores, float(scores.max()), params, number) for number in numbers]
    return list(dict.fromkeys(drawn))


def log(*probabilities: float) -> list[float]:
    logs: list[float] = np.log(probabilities).tolist()
    return logs


def test_without_filters_every_token_is_reached_best_first() -> None:
    assert drawable(log(0.1, 0.6, 0.3)) == [1, 2, 0]


@pytest.mark.parametrize(("top_k", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 0]), (0, None)])
def test_top_k_keeps_the_k_best(top_k: int, expected: list[int] | None) -> None:
    assert drawable(log(0.1, 0.6, 0.25, 0.05), top_k=top_k) == (expected or [1, 2, 0, 3])


def test_top_k_keeps_exactly_k_of_equal_scores_the_lowest_ids() -> None:
    assert drawable([0.0] * 10, top_k=4) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("top_p", "expected"),
    [(0.0, [0]), (0.49, [0]), (0.51, [0, 1]), (0.74, [0, 1]), (0.76, [0, 1, 2]), (0.99, None)],
)
def test_top_p_keeps_the_shortest_prefix_that_holds_its_share(
    top_p: float, expected: list[int] | None
) -> None:
    assert drawable(log(0.5, 0.25, 0.15, 0.1), top_p=top_p) == (expected or [0, 1, 2, 3])


def test_top_p_stops_as_soon_as_its_share_is_reached_exactly() -> None:
    assert drawable([0.0] * 4, top_p=0.5) == [0, 1]


def test_top_p_is_a_share_of_what_top_k_left() -> None:
    # Of 0.4 + 0.3, the best token holds 57 %; of the whole, 40 %.
    assert drawable(log(0.4, 0.3, 0.2, 0.1), top_k=2, top_p=0.55) == [0]
    assert drawable(log(0.4, 0.3, 0.2, 0.1), top_p=0.55) == [0, 1]


def test_top_p_is_a_share_after_temperature() -> None:
    probabilities = log(0.5, 0.25, 0.15, 0.1)  # 0.37, 0.26, 0.20 and 0.17 at temperature 2
    assert drawable(probabilities, top_p=0.45) == [0]
    assert drawable(probabilities, top_p=0.45, temperature=2.0) == [0, 1]


def test_min_p_is_relative_to_the_best_token_after_temperature() -> None:
    assert drawable(log(0.4, 0.3, 0.2, 0.1), min_p=0.6) == [0, 1]
    assert drawable(log(0.4, 0.3, 0.2, 0.1), min_p=0.6, temperature=2.0) == [0, 1, 2]


def test_min_p_one_keeps_only_the_tokens_as_likely_as_the_best() -> None:
    assert drawable([1.0, 2.0, 0.0, 2.0], min_p=1.0) == [1, 3]


def test_top_a_asks_for_less_the_flatter_the_distribution_is() -> None:
    # Least probabilities: 0.5 * 0.6**2 = 0.18, and 0.5 * 0.3**2 = 0.045.
    assert drawable(log(0.6, 0.2, 0.15, 0.05), top_a=0.5) == [0, 1]
    assert drawable(log(0.3, 0.3, 0.3, 0.1), top_a=0.5) == [0, 1, 2, 3]


def test_top_a_looks_at_probabilities_after_temperature_and_top_k() -> None:
    probabilities = log(0.5, 0.25, 0.15, 0.1)
    assert drawable(probabilities, top_a=0.9) == [0, 1]
    assert drawable(probabilities, top_a=0.9, temperature=2.0) == [0, 1, 2, 3]
    # Of two tokens left the best holds 2/3, so the other needs 0.9 * 4/9 = 0.4 and has 1/3.
    assert drawable(probabilities, top_a=0.9, top_k=2) == [0]


def test_top_a_one_still_keeps_the_best_token() -> None:
    assert drawable(log(0.98, 0.01, 0.01), top_a=1.0) == [0]


def test_the_strictest_filter_wins() -> None:
    probabilities = log(0.4, 0.3, 0.2, 0.1)
    assert drawable(probabilities, top_k=3, top_p=0.8, min_p=0.6) == [0, 1]
    assert drawable(probabilities, top_k=3, top_p=0.5, min_p=0.1) == [0, 1]
    assert drawable(probabilities, top_k=1, top_p=0.8, min_p=0.1) == [0]


@pytest.mark.parametrize("fields", [{}, {"top_p": 0.9999}, {"min_p": 1e-300}, {"top_k": 4}])
def test_a_token_of_probability_zero_is_never_reached(fields: dict[str, float]) -> None:
    assert drawable([0.0, -np.inf, 0.0, -1e30], **fields) == [0, 2]


def test_the_smallest_temperature_above_greedy_draws_the_best_token() -> None:
    assert drawable([3.0, 3.01, -1e30], temperature=1.1e-5) == [1]
