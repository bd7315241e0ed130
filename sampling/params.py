"""What a caller may ask of the sampler, as one frozen value. Knows neither HTTP nor tensors."""

from dataclasses import dataclass

from kernels.errors import GraniteError

MAX_TOP_LOGPROBS = 20
MAX_LOGIT_BIAS_ENTRIES = 1024
MAX_STOP_TOKEN_IDS = 128
MAX_TEMPERATURE = 5.0
"""Workers AI's, the highest of all dialects."""
_MAX_TOKEN_ID = 2**31 - 1
GREEDY_TEMPERATURE = 1e-5
"""Temperatures below this draw the most likely token: divided by them, logits would overflow."""


class InvalidSamplingParams(GraniteError):
    """A sampling parameter outside its range; `param` names it."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """How the next tokens of one request are chosen. Defaults are OpenAI's.

    `top_k = 0`, `top_p = 1`, `min_p = 0` and `top_a = 0` switch those filters off. `logprobs` is
    None for none, else how many alternatives (0 to 20) accompany each token's own log-probability.
    `seed = None` lets the engine draw a fresh one. `max_tokens = 0` only reads the prompt.

    Raises:
        InvalidSamplingParams: a value is outside its range, not a number, or a token id is negative
            or biased twice.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    top_a: float = 0.0
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
        _require_range("temperature", self.temperature, 0.0, MAX_TEMPERATURE)
        _require_range("top_p", self.top_p, 0.0, 1.0)
        _require_range("min_p", self.min_p, 0.0, 1.0)
        _require_range("top_a", self.top_a, 0.0, 1.0)
        _require_range("repetition_penalty", self.repetition_penalty, 0.01, 10.0)
        _require_range("frequency_penalty", self.frequency_penalty, -2.0, 2.0)
        _require_range("presence_penalty", self.presence_penalty, -2.0, 2.0)
        _require_range("top_k", self.top_k, 0, 2**31 - 1)
        _require_range("max_tokens", self.max_tokens, 0, 2**31 - 1)
        _require_range("min_tokens", self.min_tokens, 0, self.max_tokens)
        _require_range("seed", self.seed or 0, -(2**63), 2**63 - 1)
        _require_range("top_logprobs", self.logprobs or 0, 0, MAX_TOP_LOGPROBS)
        self._require_valid_ids()

    @property
    def is_greedy(self) -> bool:
        return self.temperature < GREEDY_TEMPERATURE

    def _require_valid_ids(self) -> None:
        num_biased, num_stops = len(self.logit_bias), len(self.stop_token_ids)
        _require_range("logit_bias", num_biased, 0, MAX_LOGIT_BIAS_ENTRIES, "entries of logit_bias")
        _require_range("stop_token_ids", num_stops, 0, MAX_STOP_TOKEN_IDS, "stop_token_ids given")
        for token_id, bias in self.logit_bias:
            _require_range("logit_bias", token_id, 0, _MAX_TOKEN_ID, "a logit_bias token id")
            _require_range("logit_bias", bias, -100.0, 100.0, "a logit_bias value")
        for token_id in self.stop_token_ids:
            _require_range("stop_token_ids", token_id, 0, _MAX_TOKEN_ID, "a stop token id")
        if len({token_id for token_id, _ in self.logit_bias}) < num_biased:
            raise InvalidSamplingParams("logit_bias", "logit_bias names a token id twice")


def _require_range(
    param: str, value: float, low: float, high: float, what: str | None = None
) -> None:
    if not low <= value <= high:  # also true for NaN, which no comparison holds for
        raise InvalidSamplingParams(
            param, f"{what or param} must be between {low} and {high}, got {value}"
        )
