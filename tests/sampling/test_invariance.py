"""The promise that one request's tokens do not depend on what else the machine is doing."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from sampling.history import TokenHistory
from sampling.params import SamplingParams
from sampling.sampler import SampledToken, Sampler, SamplerRow

NUM_ROWS = 16
VOCAB_SIZE = 100_351  # odd, so that every row of the batch starts at another alignment


pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def mixed_rows() -> list[SamplerRow]:
    """Every kind of row at once: greedy, plain, flat, each filter, penalties and logprobs."""
    kinds = [
        SamplingParams(max_tokens=9, temperature=0.0, logprobs=20),
        SamplingParams(max_tokens=9, logprobs=5),
        SamplingParams(max_tokens=9, temperature=2.0, logprobs=0),
        SamplingParams(max_tokens=9, temperature=0.7, top_p=0.9, repetition_penalty=1.2),
        SamplingParams(max_tokens=9, top_k=40, top_p=0.99, min_p=0.01, logprobs=5),
        SamplingParams(max_tokens=9, temperature=2.0, top_p=0.9999),
        SamplingParams(max_tokens=9, min_p=1e-6, frequency_penalty=1.0, presence_penalty=0.5),
        SamplingParams(max_tokens=9, logit_bias=((5, 20.0), (6, 20.5)), logprobs=1),
    ]
    random = np.random.default_rng(5)
    return [
        SamplerRow(
            params=kinds[index % len(kinds)],
            seed=99,
            choice=index,
            position=1000,
            history=TokenHistory(range(200), random.integers(0, 400, 1000).tolist()),
        )
        for index in range(NUM_ROWS)
    ]


def mixed_logits() -> torch.Tensor:
    random = np.random.default_rng(6)
    return torch.from_numpy(random.standard_normal((NUM_ROWS, VOCAB_SIZE), np.float32) * 3)


def test_a_row_alone_equals_the_row_in_a_batch_bit_by_bit() -> None:
    logits, rows = mixed_logits(), mixed_rows()
    together = Sampler().sample(logits, rows)
    assert all(isinstance(result, SampledToken) for result in together)
    alone = [Sampler().sample(logits[i : i + 1].clone(), [rows[i]])[0] for i in range(NUM_ROWS)]
    assert alone == together  # log-probabilities included, compared exactly


def test_order_and_company_change_nothing() -> None:
    logits, rows = mixed_logits(), mixed_rows()
    together = Sampler().sample(logits, rows)
    order = [11, 2, 7, 0, 5]
    assert Sampler().sample(logits[order], [rows[i] for i in order]) == [together[i] for i in order]


def test_two_threads_give_what_one_gives() -> None:
    logits, rows = mixed_logits(), mixed_rows()
    with_two = Sampler().sample(logits, rows)
    torch.set_num_threads(1)
    assert Sampler().sample(logits, rows) == with_two
