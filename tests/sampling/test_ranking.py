import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.ranking import rank
from tests.sampling.reference import reference_ranking
from tests.sampling.strategies import rows


@settings(deadline=None, derandomize=True, max_examples=200)
@given(scores=rows(), count=st.sampled_from([1, 2, 20, 256, 1023, 1024, 1025, 2048, 10_000]))
def test_ranking_equals_the_beginning_of_a_whole_sort(
    scores: npt.NDArray[np.float32], count: int
) -> None:
    assert rank(scores, count).tolist() == reference_ranking(scores.tolist())[:count]


def test_equal_scores_rank_by_id_however_many_there_are() -> None:
    assert rank(np.full(100_352, -3.5, dtype=np.float32), 300).tolist() == list(range(300))


def test_both_zeros_are_one_score() -> None:
    assert rank(np.array([-0.0, 0.0, -0.0, 0.0], dtype=np.float32), 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("column", [0, 1023])
def test_best_scores_that_share_a_column_are_all_found(column: int) -> None:
    scores = np.zeros(98 * 1024, dtype=np.float32)
    best = np.arange(column, scores.size, 1024)
    scores[best] = np.linspace(1, 2, best.size)
    assert rank(scores, best.size).tolist() == best[::-1].tolist()


def test_best_scores_after_the_last_whole_row_of_columns_are_found() -> None:
    scores = np.zeros(2 * 1024 + 5, dtype=np.float32)
    scores[-5:] = 1.0
    assert rank(scores, 5).tolist() == list(range(2048, 2053))
