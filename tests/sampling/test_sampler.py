import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
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
from tests.sampling.reference import reference_log_softmax, reference_ranking, reference_scores
from tests.sampling.strategies import rows, sampling_params

NO_HISTORY = TokenHistory(())


def row(*, seed: int = 7, choice: int = 0, position: int = 0, **fields: Any) -> SamplerRow:
    return SamplerRow(
        params=SamplingParams(max_tokens=100, **fields),
        seed=seed,
        choice=choice,
        position=position,
        history=NO_HISTORY,
    )


def sample_one(logits: list[float], asked: SamplerRow) -> Drawn:
    (result,) = Sampler().sample(torch.tensor([logits]), [asked])
    return result


def drawn_ids(logits: torch.Tensor, rows: list[SamplerRow]) -> list[int]:
    results = Sampler().sample(logits, rows)
    assert all(isinstance(result, SampledToken) for result in results)
    return [result.token_id for result in results if isinstance(result, SampledToken)]


@settings(deadline=None, derandomize=True, max_examples=200)
@given(data=st.data(), logits=rows())
def test_any_finite_row_with_any_parameters_gives_a_possible_token_and_finite_numbers(
    data: st.DataObject, logits: npt.NDArray[np.float32]
) -> None:
    params = data.draw(sampling_params(logits.size))
    ids = st.lists(st.integers(0, logits.size - 1), max_size=5)
    prompt, generated = data.draw(ids), data.draw(ids)
    asked = SamplerRow(
        params=params,
        seed=params.seed or 0,
        choice=0,
        position=len(generated),
        history=TokenHistory(prompt, generated),
    )
    (result,) = Sampler().sample(torch.from_numpy(logits)[None], [asked])
    assert isinstance(result, SampledToken)
    assert logits[result.token_id] > -np.inf
    if params.is_greedy:
        scores = reference_scores(logits.tolist(), params, prompt, generated, ())
        assert scores[result.token_id] == pytest.approx(max(scores), rel=1e-5, abs=1e-5)
    numbers = [value for _, value in result.top_logprobs]
    numbers += [] if result.logprob is None else [result.logprob]
    assert all(math.isfinite(number) and number <= 1e-6 for number in numbers)


@pytest.mark.parametrize("temperature", [0.0, 1e-40, 1e-8])
def test_greedy_takes_the_best_token_and_the_lowest_id_of_equals(temperature: float) -> None:
    result = sample_one([1.0, 3.0, 2.0, 3.0], row(temperature=temperature))
    assert result == SampledToken(1)


def test_greedy_is_after_bias_and_penalties() -> None:
    asked = SamplerRow(
        params=SamplingParams(
            max_tokens=9, temperature=0.0, logit_bias=((2, 1.5),), presence_penalty=2.0
        ),
        seed=0,
        choice=0,
        position=1,
        history=TokenHistory([], [1]),
    )
    assert sample_one([2.0, 3.0, 1.0], asked) == SampledToken(2)


def test_suppressed_ids_are_never_drawn() -> None:
    params = SamplingParams(max_tokens=500)
    suppressed = [
        SamplerRow(
            params=params,
            seed=3,
            choice=0,
            position=position,
            history=NO_HISTORY,
            suppressed_ids=frozenset({1, 4}),
        )
        for position in range(200)
    ]
    logits = torch.tensor([0.0, 9.0, 0.0, 0.0, 9.0]).expand(200, 5)
    assert set(drawn_ids(logits, suppressed)) == {0, 2, 3}


def test_log_probabilities_are_the_model_s_own_whatever_the_request_changes() -> None:
    logits = [0.5, 2.0, 1.0, -1.0]
    changed = row(
        temperature=0.0, logit_bias=((3, 100.0),), top_k=1, min_p=0.9, logprobs=2, top_p=0.1
    )
    result = sample_one(logits, changed)
    expected = reference_log_softmax(logits)
    assert isinstance(result, SampledToken)
    assert result.token_id == 3
    assert result.logprob == pytest.approx(expected[3], abs=1e-6)
    assert [id_ for id_, _ in result.top_logprobs] == reference_ranking(logits)[:2]
    assert result.top_logprobs[0][1] == pytest.approx(expected[1], abs=1e-6)


def test_alternatives_come_only_in_the_number_asked_for() -> None:
    logits = [0.0, 1.0, 2.0]
    without, own, one = (sample_one(logits, row(logprobs=number)) for number in (None, 0, 1))
    assert isinstance(without, SampledToken)
    assert isinstance(own, SampledToken)
    assert isinstance(one, SampledToken)
    assert without.logprob is None
    assert without.top_logprobs == own.top_logprobs == ()
    assert own.logprob == one.logprob
    assert own.logprob is not None
    assert len(one.top_logprobs) == 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    "broken",
    [
        [0.0, math.nan, 1.0],
        [math.nan, math.inf, 1.0],
        [0.0, math.inf, -math.inf],
        [-math.inf] * 3,
        [-math.inf, math.nan, -math.inf],
    ],
    ids=str,
)
def test_a_row_that_is_not_finite_fails_alone(broken: list[float], temperature: float) -> None:
    good = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]
    asked = [row(temperature=temperature, position=position, logprobs=2) for position in range(3)]
    results = Sampler().sample(torch.tensor([good[0], broken, good[1]]), asked)
    assert results[1] == NonFiniteLogits()
    alone = Sampler().sample(torch.tensor(good), [asked[0], asked[2]])
    assert [results[0], results[2]] == alone


def test_a_row_with_one_finite_logit_draws_it() -> None:
    assert sample_one([-math.inf, -5.0, -math.inf], row(logprobs=3)) == SampledToken(
        1, 0.0, ((1, 0.0),)
    )


def test_a_row_whose_every_token_is_suppressed_fails_instead_of_drawing_one() -> None:
    asked = SamplerRow(
        params=SamplingParams(max_tokens=1),
        seed=0,
        choice=0,
        position=0,
        history=NO_HISTORY,
        suppressed_ids=(0, 1),
    )
    assert sample_one([1.0, 2.0, -math.inf], asked) == NothingToDraw()


def test_a_bias_on_every_token_changes_nothing() -> None:
    logits = torch.linspace(-2, 2, 50).expand(100, 50)
    plain = [row(position=position) for position in range(100)]
    everywhere = tuple((token_id, -100.0) for token_id in range(50))
    biased = [row(position=position, logit_bias=everywhere) for position in range(100)]
    assert drawn_ids(logits, plain) == drawn_ids(logits, biased)


def test_the_same_key_draws_the_same_tokens_and_any_other_key_others() -> None:
    logits = torch.zeros(100, 1000)
    first = drawn_ids(logits, [row(position=position) for position in range(100)])
    assert first == drawn_ids(logits, [row(position=position) for position in range(100)])
    for other in (
        [row(position=position, seed=8) for position in range(100)],
        [row(position=position, seed=-7) for position in range(100)],
        [row(position=position, seed=2**63 - 1) for position in range(100)],
        [row(position=position, seed=-(2**63)) for position in range(100)],
        [row(position=position, choice=1) for position in range(100)],
        [row(position=position + 100) for position in range(100)],
    ):
        equal = sum(a == b for a, b in zip(first, drawn_ids(logits, other), strict=True))
        assert equal < 5  # of 100 draws from 1,000 tokens


def test_logits_of_any_float_type_and_layout_are_read_and_not_written() -> None:
    logits = torch.randn(300, 4, generator=torch.Generator().manual_seed(0)).bfloat16().T
    before = logits.clone()
    asked = [row(position=position, logit_bias=((0, 5.0),), logprobs=1) for position in range(4)]
    assert Sampler().sample(logits, asked) == Sampler().sample(logits.float().contiguous(), asked)
    assert torch.equal(logits, before)


def test_more_rows_than_logits_are_an_error() -> None:
    with pytest.raises(ValueError, match="longer"):
        Sampler().sample(torch.zeros(1, 3), [row(), row()])


@pytest.mark.gpu
def test_logits_on_a_gpu_give_the_tokens_of_the_same_logits_on_the_cpu() -> None:
    logits = torch.randn(16, 5003, generator=torch.Generator().manual_seed(0))
    asked = [row(position=position, top_p=0.9, logprobs=5) for position in range(16)]
    assert Sampler().sample(logits.cuda(), asked) == Sampler().sample(logits, asked)
