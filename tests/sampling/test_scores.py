import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.logprobs import log_probabilities
from sampling.sampler import NonFiniteLogits
from sampling.scores import Score, score_tokens
from tests.sampling.reference import reference_ranking
from tests.sampling.strategies import rows


@settings(deadline=None, derandomize=True)
@given(data=st.data(), logits=rows(), num_alternatives=st.sampled_from([0, 1, 5, 20]))
def test_a_score_is_the_tokens_log_probability_and_its_place_in_the_ranking(
    data: st.DataObject, logits: npt.NDArray[np.float32], num_alternatives: int
) -> None:
    ranking = reference_ranking(logits.tolist())
    token_id = data.draw(st.sampled_from(ranking))
    (score,) = score_tokens(torch.from_numpy(logits)[None], [token_id], num_alternatives)
    assert isinstance(score, Score)
    expected = log_probabilities(logits, float(logits.max()), token_id, num_alternatives)
    assert (score.logprob, score.top_logprobs) == expected
    assert score.rank == 1 + ranking.index(token_id)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_fails_alone(bad: float) -> None:
    logits = torch.zeros(3, 7)
    logits[1, 4] = bad
    first, second, third = score_tokens(logits, [4, 4, 4], 0)
    assert isinstance(second, NonFiniteLogits)
    assert isinstance(first, Score)
    assert first == third
    assert first.logprob == pytest.approx(-np.log(7))
    assert first.rank == 5


def test_every_row_needs_its_token() -> None:
    with pytest.raises(ValueError, match="shorter"):
        score_tokens(torch.zeros(2, 7), [1], 0)
