"""Random rows and parameters for the property tests, extremes included."""

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from sampling.params import SamplingParams

VOCAB_SIZES = (1, 2, 7, 300, 1025, 2100)  # up to several ranking passes


@st.composite
def rows(draw: st.DrawFn, vocab_sizes: tuple[int, ...] = VOCAB_SIZES) -> npt.NDArray[np.float32]:
    """(vocab,) float32: random, flat, rounded to many ties, huge, or peaked; with -inf entries."""
    size = draw(st.sampled_from(vocab_sizes))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([0.0, 0.3, 1.0, 3.0, 3.0, 30.0, 1e30]))
    logits = (random.standard_normal(size) * scale).astype(np.float32)
    if draw(st.booleans()):
        logits = np.round(logits)  # ties, and both zeros
    share_forbidden = draw(st.sampled_from([0.0, 0.0, 0.1, 0.999]))
    if share_forbidden:
        logits[random.random(size) < share_forbidden] = -np.inf
        logits[random.integers(size)] = 0.0
    return logits


def sampling_params(vocab_size: int) -> st.SearchStrategy[SamplingParams]:
    token_ids = st.integers(0, vocab_size - 1)
    bias = st.sampled_from([-100.0, -1.5, 0.0, 2.0, 100.0])
    penalty = st.sampled_from([0.0, 0.0, -2.0, 0.3, 2.0])
    return st.builds(
        SamplingParams,
        max_tokens=st.just(1),
        temperature=st.sampled_from([1.0, 0.3, 2.0, 0.7, 1.5, 1e-4, 1e-40]),
        top_p=st.sampled_from([1.0, 1.0, 0.9, 0.6, 0.3, 0.999, 0.0]),
        top_k=st.sampled_from([0, 0, 0, 3, 50, vocab_size + 1, 1, 2**31 - 1]),
        min_p=st.sampled_from([0.0, 0.0, 0.0, 1e-4, 0.2, 1.0]),
        top_a=st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.5, 1.0]),
        repetition_penalty=st.sampled_from([1.0, 1.0, 0.01, 1.3, 10.0]),
        frequency_penalty=penalty,
        presence_penalty=penalty,
        logit_bias=st.dictionaries(token_ids, bias, max_size=4).map(lambda d: tuple(d.items())),
        seed=st.integers(-(2**63), 2**63 - 1),
        logprobs=st.sampled_from([None, 0, 1, 5, 20]),
    )
