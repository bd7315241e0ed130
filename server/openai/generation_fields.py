"""The request fields that chat and completions share, and what they mean to the sampler."""

import re
from typing import Annotated, Literal

from pydantic import StringConstraints

from server.errors import BadRequest
from server.field_notes import does, harmless
from server.openai.constraint_fields import ConstraintFields
from server.openai.metadata import Metadata
from server.openai.request_model import RequestModel
from server.openai.routing_fields import RoutingFields
from server.openai.sampling_types import (
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
    TopA,
    TopK,
    TopLogprobs,
    TopP,
)
from server.question import SamplingWishes

_TOKEN_ID = re.compile("0|[1-9][0-9]{0,8}", re.ASCII)

ShortText = Annotated[str, StringConstraints(max_length=512)]

AddSpecialTokens = Annotated[bool | None, harmless("the model has no token that begins a sequence")]
OwnCache = harmless("what is kept for later prompts is this server's own affair")
Watched = harmless("nobody is watched here; under `/api/v1` it is kept with the generation")


class StreamOptions(RequestModel):
    include_usage: Annotated[
        bool | None, does("a last chunk, without choices, has the usage", default=False)
    ] = None
    continuous_usage_stats: Annotated[
        bool | None, does("with `include_usage`, every chunk has the usage so far", default=False)
    ] = None
    include_obfuscation: Annotated[
        Literal[False] | None, does("no chunk is padded", default=False)
    ] = None


class GenerationFields(ConstraintFields, RoutingFields):
    """`None` stands for the documented default everywhere, as OpenAI's clients may send null."""

    model: Annotated[str, does("a served name, exactly")]
    temperature: Temperature = None
    top_p: TopP = None
    top_k: TopK = None
    min_p: MinP = None
    top_a: TopA = None
    repetition_penalty: RepetitionPenalty = None
    frequency_penalty: FrequencyPenalty = None
    presence_penalty: PresencePenalty = None
    logit_bias: LogitBias = None
    stop: Stops = None
    stop_token_ids: StopTokenIds = None
    seed: Seed = None
    max_tokens: MaxTokens = None
    min_tokens: MinTokens = None
    ignore_eos: IgnoreEos = None
    n: Choices = None
    prompt_logprobs: Annotated[
        TopLogprobs,
        does(
            "for every prompt token its log-probability, its rank and that many alternatives, by "
            "id, in vLLM's shape: beside the choices of a chat, in each choice of a completion; "
            "not in a stream"
        ),
    ] = None
    stream: Annotated[bool | None, does("the reply comes in chunks", default=False)] = None
    stream_options: Annotated[StreamOptions | None, does("with `stream` only")] = None

    add_special_tokens: AddSpecialTokens = None
    cache_prompt: Annotated[bool | None, OwnCache] = None
    cache_salt: Annotated[ShortText | None, OwnCache] = None
    metadata: Annotated[Metadata | None, harmless("the client's own notes")] = None
    prompt_cache_key: Annotated[ShortText | None, OwnCache] = None
    prompt_cache_retention: Annotated[Literal["in_memory", "in-memory", "24h"] | None, OwnCache] = (
        None
    )
    safety_identifier: Annotated[ShortText | None, harmless("nobody is watched here")] = None
    service_tier: Annotated[ShortText | None, harmless("there is one tier")] = None
    session_id: Annotated[ShortText | None, Watched] = None
    user: Annotated[ShortText | None, Watched] = None

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
