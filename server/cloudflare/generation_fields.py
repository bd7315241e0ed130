"""The fields that all forms of a text generation request share, with Workers AI's own ranges."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from server.cloudflare.response_format import ResponseFormat
from server.constraints import TextForm
from server.openai.chat_request import ChatRequest
from server.openai.completion_request import CompletionRequest
from server.openai.field_policy import HARMLESS_FIELDS, UNSUPPORTED_FIELDS
from server.openai.request_model import RequestBody
from server.question import Prompt, Question, SamplingWishes

DEFAULT_MAX_TOKENS = 2000
DEFAULT_TEMPERATURE = 0.6
MIN_REPETITION_PENALTY = 0.01
"""Logits are divided by it, so that the documented 0 cannot be meant."""

_ELSEWHERE = {*ChatRequest.model_fields, *CompletionRequest.model_fields} - HARMLESS_FIELDS


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

    max_tokens: int | None = Field(None, ge=1, le=2**31 - 1)
    temperature: float | None = Field(None, ge=0, le=5)
    top_p: float | None = Field(None, ge=0.001, le=1)
    top_k: int | None = Field(None, ge=1, le=50)
    seed: int | None = Field(None, ge=1, le=9_999_999_999)
    repetition_penalty: float | None = Field(None, ge=MIN_REPETITION_PENALTY, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    response_format: ResponseFormat | None = None
    stream: bool | None = None

    prompt_field: ClassVar[str]

    def neutral_prompt(self) -> Prompt:
        raise NotImplementedError(type(self))

    @property
    def wants_json(self) -> bool:
        return self.response_format is not None and self.response_format.is_json

    def unknown_fields(self) -> list[str]:
        in_format = self.response_format.unknown_fields() if self.response_format else ()
        return [*super().unknown_fields(), *(f"response_format.{name}" for name in in_format)]

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
