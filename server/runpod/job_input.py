"""`input`: what a job asks of the model, in the terms of the vLLM worker."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from server.errors import BadRequest
from server.field_notes import SchemaOf, does
from server.openai.chat_prompt import Messages
from server.openai.field_policy import UNSUPPORTED_FIELDS
from server.openai.messages import check_messages
from server.openai.request_model import RequestBody
from server.question import ChatMessage, ChatPrompt, Prompt, TextPrompt
from server.runpod.batching import Batching
from server.runpod.sampling_fields import SamplingFields

MAX_BATCH = 10_000
BatchSize = Annotated[int | None, Field(ge=1, le=MAX_BATCH)]


class JobInput(RequestBody):
    """`messages` win over `prompt`, as with the worker. Samplings have a model of their own."""

    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = {
        **UNSUPPORTED_FIELDS,
        "documents": ([],),
        "openai_input": (),
        "openai_route": (),
        "use_openai_format": (False,),
    }

    prompt: Annotated[
        str | None,
        Field(min_length=1),
        does("raw text; not read beside `messages`", otherwise="`messages` are required"),
    ] = None
    messages: Annotated[
        Messages | None, does("a chat, without tools", otherwise="`prompt` is required")
    ] = None
    apply_chat_template: Annotated[
        bool | None, does("the `prompt` is a user's turn", default=False)
    ] = None
    stream: Annotated[bool | None, does("the output comes in parts", default=False)] = None
    max_batch_size: Annotated[
        BatchSize,
        does("with `stream`: pieces of text in the largest part", default=Batching().largest),
    ] = None
    min_batch_size: Annotated[
        BatchSize,
        does("with `stream`: pieces of text in the first part", default=Batching().smallest),
    ] = None
    batch_size_growth_factor: Annotated[
        float | None,
        Field(ge=1, le=MAX_BATCH),
        does("with `stream`: from one part to the next", default=Batching().growth),
    ] = None
    sampling_params: Annotated[
        dict[str, Any] | None,
        SchemaOf(SamplingFields),
        does("how the text is chosen, and its form", default={}),
    ] = None

    def check_combinations(self) -> None:
        if self.messages is None and self.prompt is None:
            raise BadRequest("input needs messages or a prompt", "input")
        check_messages(self.messages or ())

    @property
    def prompt_field(self) -> str:
        return "prompt" if self.messages is None else "messages"

    def neutral_prompt(self) -> Prompt:
        if self.messages is not None:
            return ChatPrompt(messages=[message.neutral() for message in self.messages])
        text = self.prompt or ""
        if self.apply_chat_template:
            return ChatPrompt(messages=[ChatMessage(role="user", content=text)])
        return TextPrompt(text)

    @property
    def batching(self) -> Batching | None:
        """How the output is cut while it comes; None: it comes whole."""
        if not self.stream:
            return None
        plain = Batching()
        return Batching(
            smallest=self.min_batch_size or plain.smallest,
            largest=self.max_batch_size or plain.largest,
            growth=self.batch_size_growth_factor or plain.growth,
        )
