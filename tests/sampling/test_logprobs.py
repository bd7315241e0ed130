import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.logprobs import log_probabilities
from tests.sampling.reference import reference_log_softmax, reference_ranking
from tests.sampling.strategies import rows


@settings(deadline=None, derandomize=True)
@given(data=st.data(), logits=rows(), num_alternatives=st.sampled_from([0, 1, 5, 20]))
def test_log_probabilities_equal_the_reference(
    data: st.DataObject, logits: npt.NDArray[np.float32], num_alternatives: int
) -> None:
    ranking = reference_ranking(logits.tolist())
    token_id = data.draw(st.sampled_from(ranking))
    expected = reference_log_softmax(logits.tolist())
    logprob, alternatives = log_probabilities(
        logits, float(logits.max()), token_id, num_alternatives
    )
    assert logprob == pytest.approx(expected[token_id], rel=1e-6, abs=1e-5)
    assert [id_ for id_, _ in alternatives] == ranking[:num_alternatives]
    for id_, value in alternatives:
        assert value == pytest.approx(expected[id_], rel=1e-6, abs=1e-5)


def test_tokens_of_probability_zero_are_no_alternatives() -> None:
    logits = np.array([-np.inf, 0.0, -np.inf, -1.0], dtype=np.float32)
    logprob, alternatives = log_probabilities(logits, 0.0, 1, 4)
    assert [id_ for id_, _ in alternatives] == [1, 3]
    assert all(math.isfinite(value) for _, value in alternatives)
    assert logprob == alternatives[0][1]


def test_the_widest_logits_have_finite_log_probabilities() -> None:
    largest = float(np.finfo(np.float32).max)
    logits = np.array([largest, -largest], dtype=np.float32)
    logprob, alternatives = log_probabilities(logits, largest, 1, 2)
    assert logprob == alternatives[1][1] == -2 * largest
    assert alternatives[0] == (0, 0.0)
