"""The body of POST /v1/responses."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from server.errors import BadRequest
from server.field_notes import does, harmless
from server.openai.generation_fields import OwnCache, ShortText
from server.openai.metadata import Metadata
from server.openai.request_model import RequestBody, RequestModel
from server.openai.responses.field_policy import REFUSED_FIELDS
from server.openai.responses.input_items import Input
from server.openai.responses.text_fields import TextFields
from server.openai.responses.tool_fields import ResponseToolFields
from server.openai.sampling_types import MAX_COUNT, Temperature, TopLogprobs, TopP
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


Repeated = "repeated in the response"
RepeatedUser = harmless(f"nobody is watched here; {Repeated}")


class ResponseStreamOptions(RequestModel):
    include_obfuscation: Annotated[
        Literal[False] | None, does("no event is padded", default=False)
    ] = None


class ResponsePrompt(ResponseToolFields, RequestBody):
    """What makes the prompt; by itself it is the body of a request to count its tokens."""

    refused_fields = REFUSED_FIELDS

    input: Annotated[Input, does("a user's text, or the items of a conversation")]
    instructions: Annotated[
        str | None,
        does("text before everything else; not carried on by `previous_response_id`"),
    ] = None
    previous_response_id: Annotated[
        ResponseId | None, does("a stored response to continue, with all that it continues")
    ] = None
    text: Annotated[TextFields | None, does("the form of the reply; has no part in the prompt")] = (
        None
    )
    truncation: Annotated[
        Literal["auto", "disabled"] | None,
        does(
            "`auto`: a conversation that does not fit loses its oldest turns, but not its "
            "instructions",
            default="disabled",
        ),
    ] = None

    def check_combinations(self) -> None:
        self.toolbox()


class CreateResponse(ResponsePrompt):
    """`None` stands for the documented default everywhere, as OpenAI's clients may send null."""

    model: Annotated[str, does("a served name, exactly")]
    max_output_tokens: Annotated[
        int | None,
        Field(ge=16, le=MAX_COUNT),
        does(
            "the most tokens of the reply; one that is cut is `incomplete`",
            otherwise="what the context has left",
        ),
    ] = None
    temperature: Temperature = None
    top_p: TopP = None
    top_logprobs: Annotated[
        TopLogprobs, does("each token has its log-probability, and so many alternatives", default=0)
    ] = None
    include: Annotated[
        list[Include] | None,
        Field(max_length=16),
        does(
            f"`{LOGPROBS}`: as `top_logprobs`, with none; "
            "the other names are those of parts that never occur"
        ),
    ] = None
    background: Annotated[
        bool | None,
        does(
            "the reply is `queued` at once and fetched later; with `stream` its events can be "
            "left and taken up again; needs `store`",
            default=False,
        ),
    ] = None
    store: Annotated[bool | None, does("it can be fetched and continued later", default=True)] = (
        None
    )
    stream: Annotated[bool | None, does("typed events with `sequence_number`", default=False)] = (
        None
    )
    stream_options: Annotated[ResponseStreamOptions | None, does("with `stream` only")] = None
    metadata: Annotated[Metadata | None, does("the client's own notes, kept with the response")] = (
        None
    )

    max_tool_calls: Annotated[
        int | None,
        Field(ge=1, le=MAX_COUNT),
        harmless(f"counts calls of tools that run at OpenAI; {Repeated}"),
    ] = None
    prompt_cache_key: Annotated[
        ShortText | None, harmless(f"what is kept for later prompts is our own affair; {Repeated}")
    ] = None
    prompt_cache_retention: Annotated[Literal["in_memory", "24h"] | None, OwnCache] = None
    safety_identifier: Annotated[ShortText | None, RepeatedUser] = None
    service_tier: Annotated[
        ShortText | None, harmless("there is one tier, which the response names")
    ] = None
    user: Annotated[ShortText | None, RepeatedUser] = None

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
