"""What a caller may ask of the sampler, as one frozen value. Knows neither HTTP names' aliases nor tensors."""

import math
from dataclasses import dataclass

from kernels.errors import GraniteError

MAX_TOP_LOGPROBS = 20
MAX_LOGIT_BIAS_ENTRIES = 1024
MAX_STOP_TOKEN_IDS = 128
GREEDY_TEMPERATURE = 1e-5
"""Temperatures below this draw the most likely token: dividing by them would overflow fp32 logits."""


class InvalidSamplingParams(GraniteError):
    """A sampling parameter outside its range; `param` names it."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """How the next tokens of one request are chosen. Defaults are OpenAI's.

    `top_k = 0` and `top_p = 1` switch those filters off. `logprobs` is None for none, else how many
    alternatives (0 to 20) accompany each token's own log-probability. `seed = None` draws a fresh one.

    Raises:
        InvalidSamplingParams: a value is outside its documented range or not finite.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    min_tokens: int = 0
    ignore_eos: bool = False
    seed: int | None = None
    logprobs: int | None = None

    def __post_init__(self) -> None:
        _require_range("temperature", self.temperature, 0.0, 2.0)
        _require_range("top_p", self.top_p, 0.0, 1.0)
        _require_range("min_p", self.min_p, 0.0, 1.0)
        _require_range("repetition_penalty", self.repetition_penalty, 0.01, 10.0)
        _require_range("frequency_penalty", self.frequency_penalty, -2.0, 2.0)
        _require_range("presence_penalty", self.presence_penalty, -2.0, 2.0)
        _require_range("top_k", self.top_k, 0, 2**31 - 1)
        _require_range("max_tokens", self.max_tokens, 1, 2**31 - 1)
        _require_range("min_tokens", self.min_tokens, 0, self.max_tokens)
        _require_range("seed", self.seed or 0, -(2**63), 2**63 - 1)
        _require_range("top_logprobs", self.logprobs or 0, 0, MAX_TOP_LOGPROBS)
        _require_range("logit_bias", len(self.logit_bias), 0, MAX_LOGIT_BIAS_ENTRIES)
        _require_range("stop_token_ids", len(self.stop_token_ids), 0, MAX_STOP_TOKEN_IDS)
        for _, bias in self.logit_bias:
            _require_range("logit_bias", bias, -100.0, 100.0)

    @property
    def is_greedy(self) -> bool:
        return self.temperature < GREEDY_TEMPERATURE


def _require_range(param: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidSamplingParams(param, f"{param} must be between {low} and {high}, got {value}")
