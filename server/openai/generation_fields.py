"""The request fields that chat and completions share, and what they mean to the sampler."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from sampling.params import MAX_LOGIT_BIAS_ENTRIES, MAX_STOP_TOKEN_IDS, MAX_TOP_LOGPROBS
from server.errors import BadRequest
from server.openai.constraint_fields import ConstraintFields
from server.openai.request_model import RequestModel
from server.openai.routing_fields import RoutingFields
from server.question import SamplingWishes

_TOKEN_ID = re.compile("0|[1-9][0-9]{0,8}", re.ASCII)

MAX_CHOICES = 16
MAX_STOPS = 16
MAX_STOP_LENGTH = 256

ShortText = Annotated[str, StringConstraints(max_length=512)]
MetadataKey = Annotated[str, StringConstraints(max_length=64)]
StopString = Annotated[str, StringConstraints(min_length=1, max_length=MAX_STOP_LENGTH)]


class StreamOptions(RequestModel):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    include_obfuscation: Literal[False] | None = None


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Stops = Annotated[list[StopString] | None, BeforeValidator(_as_list)]


class GenerationFields(ConstraintFields, RoutingFields):
    """`None` stands for the documented default everywhere, as OpenAI's clients may send null."""

    model: str
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=-1, le=2**31 - 1)
    min_p: float | None = Field(None, ge=0, le=1)
    top_a: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, ge=0.01, le=10)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        None, max_length=MAX_LOGIT_BIAS_ENTRIES
    )
    stop: Stops = Field(None, max_length=MAX_STOPS)
    stop_token_ids: list[int] | None = Field(None, max_length=MAX_STOP_TOKEN_IDS)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    max_tokens: int | None = Field(None, ge=1, le=2**31 - 1)
    min_tokens: int | None = Field(None, ge=0, le=2**31 - 1)
    ignore_eos: bool | None = None
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    prompt_logprobs: int | None = Field(None, ge=0, le=MAX_TOP_LOGPROBS)
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    # Checked, then without effect: see field_policy.HARMLESS_FIELDS.
    add_special_tokens: bool | None = None
    cache_prompt: bool | None = None
    cache_salt: ShortText | None = None
    metadata: dict[MetadataKey, ShortText] | None = Field(None, max_length=16)
    prompt_cache_key: ShortText | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    safety_identifier: ShortText | None = None
    service_tier: ShortText | None = None
    session_id: ShortText | None = None
    user: ShortText | None = None

    @property
    def num_choices(self) -> int:
        return 1 if self.n is None else self.n

    @property
    def stops(self) -> list[str]:
        return [] if self.stop is None else self.stop

    @property
    def includes_usage(self) -> bool:
        """Whether a stream ends with a chunk of usage."""
        options = self.stream_options
        return self.wants_cost or (options is not None and bool(options.include_usage))

    @property
    def counts_usage_on_every_chunk(self) -> bool:
        options = self.stream_options
        return self.includes_usage and bool(options and options.continuous_usage_stats)

    def unknown_fields(self) -> list[str]:
        in_options = self.stream_options.unknown_fields() if self.stream_options else ()
        return [*super().unknown_fields(), *(f"stream_options.{name}" for name in in_options)]

    def check_combinations(self) -> None:
        super().check_combinations()
        _ = self.form  # raises
        if self.stream_options is not None and not self.stream:
            raise BadRequest("stream_options is only allowed with stream: true", "stream_options")
        if self.prompt_logprobs is not None and self.stream:
            raise BadRequest("prompt_logprobs is not available in a stream", "prompt_logprobs")

    def sampling_wishes(self, logprobs: int | None) -> SamplingWishes:
        """Raises BadRequest for a bias of what cannot be a token id."""
        return SamplingWishes(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            top_a=self.top_a,
            repetition_penalty=self.repetition_penalty,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            logit_bias=self._biases(),
            stop_token_ids=self.stop_token_ids or (),
            min_tokens=self.min_tokens or 0,
            ignore_eos=bool(self.ignore_eos),
            seed=self.seed,
            logprobs=logprobs,
        )

    def _biases(self) -> dict[int, float]:
        biases = self.logit_bias or {}
        if not all(_TOKEN_ID.fullmatch(key) for key in biases):
            raise BadRequest("logit_bias keys must be token ids", "logit_bias")
        return {int(key): bias for key, bias in biases.items()}
