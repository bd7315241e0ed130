"""What sampling costs per step: `python -m benchmarks.sampling` from the repository root.

A step is one token for each of 16 sequences over Granite's vocabulary of 100,352. Logits are random
but shaped like a language model's: a few likely tokens over a wide tail. The last line is one JSON
document of medians in milliseconds.
"""

import json
import platform
import statistics
import time

import numpy as np
import torch

from sampling.history import TokenHistory
from sampling.params import SamplingParams
from sampling.sampler import Sampler, SamplerRow

NUM_ROWS = 16
VOCAB_SIZE = 100_352
HISTORY_LENGTH = 1000
NUM_RUNS = 200
NUM_WARM_UP_RUNS = 10

BIAS = tuple((token_id, 1.0) for token_id in range(0, 2100, 7))
CASES = {
    "greedy": SamplingParams(max_tokens=1, temperature=0.0),
    "plain": SamplingParams(max_tokens=1),
    "hot": SamplingParams(max_tokens=1, temperature=2.0),
    "top_p": SamplingParams(max_tokens=1, temperature=0.7, top_p=0.9),
    "top_k": SamplingParams(max_tokens=1, top_k=50),
    "logprobs": SamplingParams(max_tokens=1, logprobs=5),
    "all": SamplingParams(
        max_tokens=1,
        temperature=0.8,
        top_k=50,
        top_p=0.95,
        min_p=0.02,
        repetition_penalty=1.1,
        frequency_penalty=0.5,
        presence_penalty=0.5,
        logit_bias=BIAS,
        logprobs=5,
    ),
    "all but top_k": SamplingParams(
        max_tokens=1,
        temperature=0.8,
        top_p=0.95,
        min_p=0.02,
        repetition_penalty=1.1,
        frequency_penalty=0.5,
        presence_penalty=0.5,
        logit_bias=BIAS,
        logprobs=5,
    ),
    "nucleus of a flat row": SamplingParams(max_tokens=1, temperature=2.0, top_p=0.9999),
}


def model_like_logits(random: np.random.Generator) -> torch.Tensor:
    """(rows, vocab) float32: a tail with standard deviation 2, and 30 tokens 6 to 14 above it."""
    logits = random.standard_normal((NUM_ROWS, VOCAB_SIZE), np.float32) * 2
    for row in logits:
        row[random.integers(0, VOCAB_SIZE, 30)] += random.uniform(6, 14, 30)
    return torch.from_numpy(logits)


def step_rows(params: SamplingParams, random: np.random.Generator) -> list[SamplerRow]:
    half = HISTORY_LENGTH // 2
    return [
        SamplerRow(
            params=params,
            seed=1,
            choice=choice,
            position=half,
            history=TokenHistory(
                random.integers(0, VOCAB_SIZE, half).tolist(),
                random.integers(0, VOCAB_SIZE, half).tolist(),
            ),
        )
        for choice in range(NUM_ROWS)
    ]


def step_milliseconds(logits: torch.Tensor, rows: list[SamplerRow]) -> list[float]:
    sampler = Sampler()
    durations = []
    for _ in range(NUM_WARM_UP_RUNS + NUM_RUNS):
        start = time.perf_counter()
        sampler.sample(logits, rows)
        durations.append((time.perf_counter() - start) * 1000)
    return durations[NUM_WARM_UP_RUNS:]


def main() -> None:
    random = np.random.default_rng(0)
    logits = model_like_logits(random)
    print(f"{platform.machine()}, numpy {np.__version__}, torch {torch.__version__}")
    print(f"{NUM_ROWS} rows x {VOCAB_SIZE} tokens, {NUM_RUNS} runs, ms per step")
    print(f"{'case':24}{'median':>8}{'fastest':>9}")
    medians = {}
    for name, params in CASES.items():
        durations = step_milliseconds(logits, step_rows(params, random))
        medians[name] = round(statistics.median(durations), 3)
        print(f"{name:24}{medians[name]:8.2f}{min(durations):9.2f}")
    print(json.dumps({"benchmark": "sampling", "rows": NUM_ROWS, "median_ms": medians}))


if __name__ == "__main__":
    main()
