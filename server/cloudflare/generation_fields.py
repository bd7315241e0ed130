"""The fields that all forms of a text generation request share, with Workers AI's own ranges."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from server.cloudflare.response_format import WorkersResponseFormat
from server.constraints import TextForm
from server.field_notes import does, harmless_fields
from server.openai.chat_request import ChatRequest
from server.openai.completion_request import CompletionRequest
from server.openai.field_policy import UNSUPPORTED_FIELDS
from server.openai.request_model import RequestBody
from server.openai.sampling_types import FrequencyPenalty, MaxTokens, PresencePenalty, TopP
from server.question import Prompt, Question, SamplingWishes

DEFAULT_MAX_TOKENS = 2000
BATCH_MAX_TOKENS = 256
DEFAULT_TEMPERATURE = 0.6
MIN_REPETITION_PENALTY = 0.01
"""Logits are divided by it, so that the documented 0 cannot be meant."""

_ELSEWHERE = {*ChatRequest.model_fields, *CompletionRequest.model_fields} - harmless_fields(
    CompletionRequest
)


class GenerationFields(RequestBody):
    """What OpenAI's routes take and Workers AI does not is refused, not ignored."""

    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = {
        **dict.fromkeys(_ELSEWHERE, ()),
        **UNSUPPORTED_FIELDS,
        "external_reference": (),
        "image": (),
        "lora": ("",),
        "n": (1,),
        "queueRequest": (),
        "request_id": (),
        "requests": (),
    }

    max_tokens: Annotated[
        MaxTokens,
        does(
            "the most tokens of the reply; less if the context ends",
            otherwise=f"`{DEFAULT_MAX_TOKENS}`; in a batch `{BATCH_MAX_TOKENS}`",
        ),
    ] = None
    temperature: Annotated[
        float | None,
        Field(ge=0, le=5),
        does("0 takes the likeliest token", default=DEFAULT_TEMPERATURE),
    ] = None
    top_p: Annotated[TopP, Field(ge=0.001)] = None
    top_k: Annotated[
        int | None,
        Field(ge=1, le=50),
        does("leaves so many of the likeliest tokens", otherwise="all"),
    ] = None
    seed: Annotated[
        int | None,
        Field(ge=1, le=9_999_999_999),
        does("the same seed gives the same reply", otherwise="drawn"),
    ] = None
    repetition_penalty: Annotated[
        float | None,
        Field(ge=MIN_REPETITION_PENALTY, le=2),
        does(
            "above 1, tokens of the prompt and the reply become less likely; "
            "logits are divided by it, so it cannot be 0",
            default=1,
        ),
    ] = None
    frequency_penalty: FrequencyPenalty = None
    presence_penalty: PresencePenalty = None
    response_format: Annotated[
        WorkersResponseFormat | None, does("demands a form of the reply", otherwise="text")
    ] = None
    stream: Annotated[
        bool | None,
        does("the reply comes in pieces; also with `response_format`", default=False),
    ] = None

    prompt_field: ClassVar[str]

    def neutral_prompt(self) -> Prompt:
        raise NotImplementedError(type(self))

    @property
    def wants_json(self) -> bool:
        return self.response_format is not None and self.response_format.is_json

    def question(self, default_tokens: int = DEFAULT_MAX_TOKENS) -> Question:
        """Raises BadRequest for fields that do not go together."""
        return Question(
            prompts=[self.neutral_prompt()],
            prompt_field=self.prompt_field,
            wanted_tokens=self.max_tokens,
            default_tokens=default_tokens,
            sampling=self._wishes(),
            form=self._form(),
        )

    def _form(self) -> TextForm | None:
        return None if self.response_format is None else self.response_format.form()

    def _wishes(self) -> SamplingWishes:
        return SamplingWishes(
            temperature=DEFAULT_TEMPERATURE if self.temperature is None else self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repetition_penalty=self.repetition_penalty,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            seed=self.seed,
        )
