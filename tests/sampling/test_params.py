import math
from typing import Any

import pytest

from sampling.params import InvalidSamplingParams, SamplingParams


def params(**fields: Any) -> SamplingParams:
    return SamplingParams(**{"max_tokens": 10, **fields})


@pytest.mark.parametrize(
    ("param", "value"),
    [
        (param, value)
        for param in (
            "temperature",
            "top_p",
            "min_p",
            "top_a",
            "repetition_penalty",
            "frequency_penalty",
            "presence_penalty",
        )
        for value in (math.nan, math.inf, -math.inf, 1e308, -1e308)
    ]
    + [
        ("temperature", -1e-9),
        ("temperature", 5.0001),
        ("top_p", 1.1),
        ("min_p", -0.1),
        ("top_a", 1.1),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", 1e-300),
        ("frequency_penalty", -2.1),
        ("top_k", -1),
        ("top_k", 10**18),
        ("max_tokens", -1),
        ("max_tokens", 2**63),
        ("min_tokens", -1),
        ("min_tokens", 11),
        ("seed", 2**63),
        ("seed", -(2**63) - 1),
        ("seed", 10**400),
        ("logit_bias", ((0, math.nan),)),
        ("logit_bias", ((0, 100.5),)),
        ("logit_bias", ((-1, 1.0),)),
        ("logit_bias", ((2**31, 1.0),)),
        ("logit_bias", ((3, 1.0), (3, 2.0))),
        ("logit_bias", tuple((i, 0.0) for i in range(1025))),
        ("stop_token_ids", (-1,)),
        ("stop_token_ids", tuple(range(129))),
    ],
)
def test_values_out_of_range_are_refused_by_name(param: str, value: object) -> None:
    with pytest.raises(InvalidSamplingParams) as refused:
        params(**{param: value})
    assert refused.value.param == param
    assert param in str(refused.value) or "stop token id" in str(refused.value)


def test_too_many_alternatives_are_refused_under_their_public_name() -> None:
    with pytest.raises(InvalidSamplingParams) as refused:
        params(logprobs=21)
    assert refused.value.param == "top_logprobs"


@pytest.mark.parametrize("seed", [2**63 - 1, -(2**63), -1, 0, None])
def test_every_signed_64_bit_seed_is_accepted(seed: int | None) -> None:
    assert params(seed=seed).seed == seed


@pytest.mark.parametrize(
    ("temperature", "is_greedy"), [(0.0, True), (-0.0, True), (1e-40, True), (1e-4, False)]
)
def test_temperatures_near_zero_are_greedy(temperature: float, is_greedy: bool) -> None:
    assert params(temperature=temperature).is_greedy is is_greedy
