from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.draw import draw_token, uniform
from sampling.params import SamplingParams
from tests.sampling.reference import (
    reference_draw,
    reference_kept,
    reference_philox,
    reference_ranking,
)
from tests.sampling.strategies import rows, sampling_params

ROUNDING = 1e-5
"""Both sides sum rounded exponentials: a cut this close to a token's edge may go either way."""
int64 = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(data=st.data(), scores=rows(), number=st.floats(0, 1, exclude_max=True))
def test_the_drawn_token_is_the_reference_s(
    data: st.DataObject, scores: npt.NDArray[np.float32], number: float
) -> None:
    params = data.draw(sampling_params(scores.size).filter(lambda params: not params.is_greedy))
    drawn = draw_token(scores, float(scores.max()), params, number)
    place = {id_: place for place, id_ in enumerate(reference_ranking(scores.tolist()))}
    expected = []
    for top_p in {max(params.top_p - ROUNDING, 0), params.top_p, params.top_p + ROUNDING}:
        kept = reference_kept(scores.tolist(), params, top_p)
        for shifted in (number - ROUNDING, number, number + ROUNDING):
            expected.append(place[reference_draw(kept, shifted)])
    assert min(expected) <= place[drawn] <= max(expected)


@settings(deadline=None, derandomize=True)
@given(seed=int64, choice=st.integers(0, 2**32), position=st.integers(0, 2**32))
def test_the_uniform_number_is_philox_s_of_seed_choice_and_position(
    seed: int, choice: int, position: int
) -> None:
    # numpy's generator steps its counter before it takes the first word.
    word = reference_philox((seed % 2**64, choice), (position + 1, 0, 0, 0))
    number = uniform(seed, choice, position)
    assert number == (word >> 11) / 2**53
    assert 0.0 <= number < 1.0


def test_seed_choice_and_position_each_change_the_number() -> None:
    keys = [
        (seed, choice, position)
        for seed in (0, 1, -1, 2**63 - 1, -(2**63))
        for choice in range(16)
        for position in range(64)
    ]
    assert len({uniform(*key) for key in keys}) == len(keys)


@pytest.mark.parametrize("vary", ["seed", "choice", "position"])
def test_numbers_are_uniform_along_every_part_of_the_key(vary: str) -> None:
    key = {"seed": 11, "choice": 0, "position": 0}
    num_draws, num_bins = 10_000, 16
    bins = Counter(int(uniform(**{**key, vary: i}) * num_bins) for i in range(num_draws))
    assert chi_square([bins[i] for i in range(num_bins)], [1 / num_bins] * num_bins) < 37.7


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0, "top_k": 6},
        {"top_p": 0.8},
        {"min_p": 0.1},
        {"temperature": 1.5, "top_k": 7, "top_p": 0.95, "min_p": 0.05},
    ],
    ids=str,
)
def test_tokens_are_drawn_as_often_as_they_are_likely(fields: dict[str, Any]) -> None:
    scores = np.array([0.3, -1.0, 2.0, 1.5, -0.2, 0.0, 0.9, 1.4], dtype=np.float32)
    params = SamplingParams(max_tokens=1, **fields)
    num_draws = 10_000
    drawn = Counter(
        draw_token(scores, 2.0, params, uniform(1234, 0, position)) for position in range(num_draws)
    )
    kept = reference_kept(scores.tolist(), params, params.top_p)
    assert set(drawn) == {id_ for id_, _ in kept}
    # 99.9 % of 7 degrees of freedom; fewer kept tokens only make it more lenient.
    assert chi_square([drawn[id_] for id_, _ in kept], [share for _, share in kept]) < 24.3


def test_a_flat_row_is_drawn_from_to_its_last_token() -> None:
    scores = np.zeros(100_352, dtype=np.float32)
    params = SamplingParams(max_tokens=1)
    for number in (0.0, 0.25, 0.75, 1 - 2.0**-53):
        assert draw_token(scores, 0.0, params, number) == int(number * scores.size)


def chi_square(observed: list[int], probabilities: list[float]) -> float:
    num_draws = sum(observed)
    return sum(
        (count - num_draws * probability) ** 2 / (num_draws * probability)
        for count, probability in zip(observed, probabilities, strict=True)
    )
