import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.mass import relative_weights, total_weight
from tests.sampling.strategies import rows


@settings(deadline=None, derandomize=True)
@given(scores=rows(), temperature=st.sampled_from([1e-4, 0.3, 1.0, 2.0]))
def test_the_total_is_the_sum_of_all_exponentials(
    scores: npt.NDArray[np.float32], temperature: float
) -> None:
    peak = float(scores.max())
    expected = math.fsum(math.exp((score - peak) / temperature) for score in scores.tolist())
    assert total_weight(scores, peak, temperature) == pytest.approx(expected, rel=2e-6)
    weights = relative_weights(scores, peak, temperature)
    assert math.fsum(weights) == pytest.approx(expected, rel=1e-12)


def test_the_widest_row_neither_overflows_nor_warns() -> None:
    largest = np.finfo(np.float32).max
    scores = np.array([largest, -largest, -np.inf], dtype=np.float32)
    assert total_weight(scores, float(largest), 1e-5) == 1.0
    assert relative_weights(scores, float(largest), 1e-5).tolist() == [1.0, 0.0, 0.0]
