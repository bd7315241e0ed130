"""`input.sampling_params`: the vLLM worker's names, the defaults of Granite's endpoint."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from sampling.params import MAX_LOGIT_BIAS_ENTRIES, MAX_STOP_TOKEN_IDS
from server.errors import BadRequest
from server.openai.chat_request import ChatRequest
from server.openai.completion_request import CompletionRequest
from server.openai.constraint_fields import ConstraintFields
from server.openai.field_policy import UNSUPPORTED_FIELDS
from server.openai.generation_fields import MAX_CHOICES, MAX_STOPS, StopString
from server.openai.request_model import RequestBody
from server.question import SamplingWishes

DEFAULT_MAX_TOKENS = 512
DEFAULT_TEMPERATURE = 0.7


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class SamplingFields(ConstraintFields, RequestBody):
    """`null` is the default. Log-probabilities have no place in the worker's output."""

    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = {
        **dict.fromkeys([*ChatRequest.model_fields, *CompletionRequest.model_fields], ()),
        **UNSUPPORTED_FIELDS,
        "guided_decoding": (),
        "output_kind": (),
    }

    max_tokens: int | None = Field(None, ge=1, le=2**31 - 1)
    min_tokens: int | None = Field(None, ge=0, le=2**31 - 1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=-1, le=2**31 - 1)
    min_p: float | None = Field(None, ge=0, le=1)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    repetition_penalty: float | None = Field(None, ge=0.01, le=10)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        None, max_length=MAX_LOGIT_BIAS_ENTRIES
    )
    stop: Annotated[list[StopString] | None, BeforeValidator(_as_list)] = Field(
        None, max_length=MAX_STOPS
    )
    stop_token_ids: list[int] | None = Field(None, max_length=MAX_STOP_TOKEN_IDS)
    ignore_eos: bool | None = None
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    best_of: int | None = Field(None, ge=1, le=MAX_CHOICES)

    @property
    def num_shown(self) -> int:
        return self.n or 1

    @property
    def num_candidates(self) -> int:
        return self.best_of or self.num_shown

    def check_combinations(self) -> None:
        _ = self.form  # raises
        if self.num_candidates < self.num_shown:
            raise BadRequest("best_of must not be less than n", "best_of")
        if not all(key.isascii() and key.isdecimal() and len(key) < 10 for key in self._biases):
            raise BadRequest("logit_bias keys must be token ids", "logit_bias")

    @property
    def _biases(self) -> dict[str, float]:
        return self.logit_bias or {}

    def wishes(self) -> SamplingWishes:
        """The worker's -1 stands for a seed of its own, as for no `top_k`."""
        return SamplingWishes(
            temperature=DEFAULT_TEMPERATURE if self.temperature is None else self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            logit_bias={int(key): bias for key, bias in self._biases.items()},
            stop_token_ids=self.stop_token_ids or (),
            min_tokens=self.min_tokens or 0,
            ignore_eos=bool(self.ignore_eos),
            seed=None if self.seed == -1 else self.seed,
            logprobs=0 if self.num_candidates > self.num_shown else None,
        )
