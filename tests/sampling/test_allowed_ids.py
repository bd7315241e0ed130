"""What a grammar allows, in the sampler: bans come before everything that weighs tokens."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.history import TokenHistory
from sampling.params import SamplingParams
from sampling.sampler import (
    Drawn,
    NonFiniteLogits,
    NothingToDraw,
    SampledToken,
    Sampler,
    SamplerRow,
)
from tests.sampling.strategies import rows, sampling_params


def sample(logits: object, params: SamplingParams, next_ids: Any, **fields: Any) -> Drawn:
    asked = SamplerRow(
        params=params,
        seed=3,
        choice=0,
        position=0,
        history=TokenHistory(()),
        next_ids=next_ids,
        **fields,
    )
    (result,) = Sampler().sample(torch.as_tensor(logits)[None], [asked])
    return result


def mask(*flags: bool) -> npt.NDArray[np.bool_]:
    return np.array(flags)


GREEDY = SamplingParams(max_tokens=9, temperature=0.0)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(data=st.data(), logits=rows())
def test_banned_ids_are_never_drawn_and_are_as_if_the_model_had_ruled_them_out(
    data: st.DataObject, logits: npt.NDArray[np.float32]
) -> None:
    params = data.draw(sampling_params(logits.size))
    allowed = np.random.default_rng(data.draw(st.integers(0, 99))).random(logits.size) < 0.5
    allowed[data.draw(st.integers(0, logits.size - 1))] = True
    banned = np.where(allowed, logits, np.float32(-np.inf))
    drawn = sample(logits, params, allowed)
    if not np.isfinite(banned).any():
        assert drawn == NothingToDraw()
        return
    assert isinstance(drawn, SampledToken)
    assert allowed[drawn.token_id]
    expected = sample(banned, params, None)
    assert isinstance(expected, SampledToken)
    assert drawn.token_id == expected.token_id


def test_no_bias_lifts_a_ban() -> None:
    params = SamplingParams(max_tokens=9, temperature=0.0, logit_bias=((0, 100.0),))
    assert sample([5.0, 1.0, 0.0], params, mask(False, True, True)) == SampledToken(1)


def test_a_bias_against_the_only_allowed_id_is_in_vain() -> None:
    params = SamplingParams(max_tokens=9, logit_bias=((2, -100.0),))
    assert sample([5.0, 1.0, 0.0], params, mask(False, False, True)) == SampledToken(2)


def test_a_forced_id_is_taken_whatever_else_the_request_says() -> None:
    drawn = sample([5.0, 1.0, 0.0], SamplingParams(max_tokens=9), 2, suppressed_ids=(2,))
    assert drawn == SampledToken(2)


def test_log_probabilities_ignore_bans_and_force() -> None:
    params = SamplingParams(max_tokens=9, temperature=0.0, logprobs=2)
    total = math.log(math.e**2 + math.e + 1)
    for next_ids in (mask(False, False, True), 2):
        drawn = sample([2.0, 1.0, 0.0], params, next_ids)
        assert isinstance(drawn, SampledToken)
        assert drawn.token_id == 2
        assert math.isclose(drawn.logprob or 0.0, -total, rel_tol=1e-6)
        assert [token_id for token_id, _ in drawn.top_logprobs] == [0, 1]


def test_nothing_is_drawn_where_all_that_is_allowed_is_suppressed() -> None:
    drawn = sample([2.0, 1.0, 0.0], GREEDY, mask(False, True, False), suppressed_ids=(1,))
    assert drawn == NothingToDraw()


def test_a_broken_row_fails_even_if_its_token_is_forced() -> None:
    assert sample([math.nan, 1.0, 0.0], GREEDY, 1) == NonFiniteLogits()
    with_logprobs = SamplingParams(max_tokens=9, logprobs=0)
    assert sample([-math.inf, 1.0, 0.0], with_logprobs, 0) == NonFiniteLogits()
