"""`input.sampling_params`: the vLLM worker's names, the defaults of Granite's endpoint."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from server.errors import BadRequest
from server.field_notes import does
from server.openai.chat_request import ChatRequest
from server.openai.completion_request import CompletionRequest
from server.openai.constraint_fields import ConstraintFields
from server.openai.field_policy import UNSUPPORTED_FIELDS
from server.openai.request_model import RequestBody
from server.openai.sampling_types import (
    BestOf,
    Choices,
    FrequencyPenalty,
    IgnoreEos,
    LogitBias,
    MaxTokens,
    MinP,
    MinTokens,
    PresencePenalty,
    RepetitionPenalty,
    Seed,
    Stops,
    StopTokenIds,
    Temperature,
    TopK,
    TopP,
)
from server.question import SamplingWishes

DEFAULT_MAX_TOKENS = 512
DEFAULT_TEMPERATURE = 0.7


class SamplingFields(ConstraintFields, RequestBody):
    """`null` is the default. Log-probabilities have no place in the worker's output."""

    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = {
        **dict.fromkeys([*ChatRequest.model_fields, *CompletionRequest.model_fields], ()),
        **UNSUPPORTED_FIELDS,
        "guided_decoding": (),
        "output_kind": (),
    }

    max_tokens: Annotated[
        MaxTokens,
        does("the most tokens of the reply; less if the context ends", default=DEFAULT_MAX_TOKENS),
    ] = None
    min_tokens: MinTokens = None
    temperature: Annotated[
        Temperature, does("0 takes the likeliest token", default=DEFAULT_TEMPERATURE)
    ] = None
    top_p: TopP = None
    top_k: TopK = None
    min_p: MinP = None
    seed: Annotated[
        Seed, does("the same seed gives the same reply; -1: drawn", otherwise="drawn")
    ] = None
    repetition_penalty: RepetitionPenalty = None
    frequency_penalty: FrequencyPenalty = None
    presence_penalty: PresencePenalty = None
    logit_bias: LogitBias = None
    stop: Stops = None
    stop_token_ids: StopTokenIds = None
    ignore_eos: IgnoreEos = None
    n: Choices = None
    best_of: BestOf = None

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
