"""The body of POST /v1/responses."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from sampling.params import MAX_TOP_LOGPROBS
from server.errors import BadRequest
from server.openai.generation_fields import ShortText
from server.openai.metadata import Metadata
from server.openai.request_model import RequestBody, RequestModel
from server.openai.responses.field_policy import REFUSED_FIELDS
from server.openai.responses.input_items import Input
from server.openai.responses.text_fields import TextFields
from server.openai.responses.tool_fields import ResponseToolFields
from server.question import SamplingWishes

LOGPROBS = "message.output_text.logprobs"
"""The one thing to `include` that there is; the others are parts of items that never occur."""

ResponseId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Include = Literal[
    "message.output_text.logprobs",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
]


class StreamOptions(RequestModel):
    include_obfuscation: Literal[False] | None = None


class ResponsePrompt(ResponseToolFields, RequestBody):
    """What makes the prompt; by itself it is the body of a request to count its tokens."""

    refused_fields = REFUSED_FIELDS

    input: Input
    instructions: str | None = None
    previous_response_id: ResponseId | None = None
    text: TextFields | None = None
    truncation: Literal["auto", "disabled"] | None = None

    def check_combinations(self) -> None:
        self.toolbox()


class CreateResponse(ResponsePrompt):
    """`None` stands for the documented default everywhere, as OpenAI's clients may send null."""

    model: str
    max_output_tokens: int | None = Field(None, ge=16, le=2**31 - 1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_logprobs: int | None = Field(None, ge=0, le=MAX_TOP_LOGPROBS)
    include: list[Include] | None = Field(None, max_length=16)
    background: bool | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: Metadata | None = None

    # Checked, then without effect: see field_policy.HARMLESS_FIELDS.
    max_tool_calls: int | None = Field(None, ge=1, le=2**31 - 1)
    prompt_cache_key: ShortText | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    safety_identifier: ShortText | None = None
    service_tier: ShortText | None = None
    user: ShortText | None = None

    @property
    def num_logprobs(self) -> int | None:
        """How many alternatives accompany each token; None: no log-probabilities at all."""
        if self.top_logprobs or LOGPROBS in (self.include or ()):
            return self.top_logprobs or 0
        return None

    @property
    def stops(self) -> list[str]:
        """Strings that end the reply; OpenAI's API has none here, but relatives may."""
        return []

    def check_combinations(self) -> None:
        super().check_combinations()
        if self.stream_options is not None and not self.stream:
            raise BadRequest("stream_options is only allowed with stream: true", "stream_options")
        if self.background and self.store is False:
            raise BadRequest("background needs store: a reply is fetched later", "background")

    def sampling_wishes(self) -> SamplingWishes:
        return SamplingWishes(
            temperature=self.temperature, top_p=self.top_p, logprobs=self.num_logprobs
        )
