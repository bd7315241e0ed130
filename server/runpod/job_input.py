"""`input`: what a job asks of the model, in the terms of the vLLM worker."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from server.errors import BadRequest
from server.openai.chat_prompt import Messages, unknown_in
from server.openai.field_policy import UNSUPPORTED_FIELDS
from server.openai.messages import check_messages
from server.openai.request_model import RequestBody
from server.question import ChatMessage, ChatPrompt, Prompt, TextPrompt
from server.runpod.batching import Batching

MAX_BATCH = 10_000


class JobInput(RequestBody):
    """`messages` win over `prompt`, as with the worker. Samplings have a model of their own."""

    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = {
        **UNSUPPORTED_FIELDS,
        "documents": ([],),
        "openai_input": (),
        "openai_route": (),
        "use_openai_format": (False,),
    }

    prompt: str | None = Field(None, min_length=1)
    messages: Messages | None = None
    apply_chat_template: bool | None = None
    stream: bool | None = None
    max_batch_size: int | None = Field(None, ge=1, le=MAX_BATCH)
    min_batch_size: int | None = Field(None, ge=1, le=MAX_BATCH)
    batch_size_growth_factor: float | None = Field(None, ge=1, le=MAX_BATCH)
    sampling_params: dict[str, Any] | None = None

    def unknown_fields(self) -> list[str]:
        return [*super().unknown_fields(), *unknown_in(self.messages or ())]

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
