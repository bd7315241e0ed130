from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.history import TokenHistory
from sampling.params import SamplingParams
from sampling.penalties import adjust_scores
from tests.sampling.reference import reference_scores
from tests.sampling.strategies import rows, sampling_params

LARGEST = float(np.finfo(np.float32).max)


def adjusted(
    logits: list[float], prompt: list[int], generated: list[int], **fields: Any
) -> list[float]:
    row = np.array(logits, dtype=np.float32)
    params = SamplingParams(max_tokens=1, **fields)
    scores: list[float] = adjust_scores(row, params, TokenHistory(prompt, generated), ()).tolist()
    return scores


@settings(deadline=None, derandomize=True, max_examples=200)
@given(data=st.data(), logits=rows((1, 7, 300)))
def test_scores_equal_the_reference(data: st.DataObject, logits: npt.NDArray[np.float32]) -> None:
    params = data.draw(sampling_params(logits.size))
    some_ids = st.lists(st.integers(0, logits.size - 1), max_size=8)
    prompt, generated, suppressed = (data.draw(some_ids) for _ in range(3))
    before = logits.copy()
    scores = adjust_scores(logits, params, TokenHistory(prompt, generated), suppressed)
    expected = reference_scores(logits.tolist(), params, prompt, generated, suppressed)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(logits, before)


def test_repetition_counts_prompt_and_output_and_pushes_both_signs_down() -> None:
    scores = adjusted([2.0, -2.0, 2.0, -2.0, 2.0], [0, 1], [2, 3, 3], repetition_penalty=2.0)
    assert scores == [1.0, -4.0, 1.0, -4.0, 2.0]


def test_presence_counts_an_output_token_once_and_frequency_each_time() -> None:
    assert adjusted([0.0] * 3, [0], [1, 1, 1, 2], presence_penalty=1.0) == [0.0, -1.0, -1.0]
    assert adjusted([0.0] * 3, [0], [1, 1, 1, 2], frequency_penalty=0.5) == [0.0, -1.5, -0.5]


def test_bias_is_added_before_the_penalties() -> None:
    assert adjusted([-1.0, 0.0], [0], [], logit_bias=((0, 5.0),), repetition_penalty=2.0) == [2, 0]


def test_a_suppressed_id_cannot_be_biased_or_rewarded_back() -> None:
    params = SamplingParams(
        max_tokens=1, logit_bias=((0, 100.0),), repetition_penalty=0.01, presence_penalty=-2.0
    )
    row = np.array([5.0, 1.0], dtype=np.float32)
    scores = adjust_scores(row, params, TokenHistory([0], [0]), frozenset({0}))
    assert scores[0] == -np.inf


@pytest.mark.parametrize("logit", [LARGEST, -LARGEST, LARGEST / 50])
@pytest.mark.parametrize("penalty", [0.01, 10.0])
def test_the_largest_finite_logits_stay_finite(logit: float, penalty: float) -> None:
    (score,) = adjusted([logit], [0], [0] * 1000, repetition_penalty=penalty, frequency_penalty=2.0)
    assert np.isfinite(score)


def test_a_row_that_nothing_changes_is_not_copied() -> None:
    row = np.zeros(3, dtype=np.float32)
    assert adjust_scores(row, SamplingParams(max_tokens=1), TokenHistory([0]), ()) is row
