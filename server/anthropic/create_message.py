"""The body of POST /v1/messages."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from server.anthropic.prompt_request import PROMPT_FIELD, CountTokens
from server.errors import BadRequest
from server.field_notes import does, harmless
from server.openai.request_model import RequestModel
from server.openai.sampling_types import MAX_STOPS, StopString, TopP
from server.question import Question, SamplingWishes

UserId = Annotated[str, StringConstraints(max_length=4096)]


class Metadata(RequestModel):
    """Claude Code's `user_id` is a JSON object as text."""

    user_id: Annotated[UserId | None, does("kept with the generation")] = None


class Diagnostics(RequestModel):
    previous_message_id: Annotated[
        str | None, harmless("tells why a cache was missed: always `null`")
    ] = None


class CreateMessage(CountTokens):
    """`max_tokens` may be more than the context has left: it is a limit, not a demand."""

    max_tokens: Annotated[
        int,
        Field(ge=0, le=2**31 - 1),
        does(
            "a limit: if the context has less left, the reply may fill it; 0 only reads the prompt"
        ),
    ]
    metadata: Annotated[Metadata | None, does("notes on who asks")] = None
    stop_sequences: Annotated[
        list[StopString] | None,
        Field(max_length=MAX_STOPS),
        does("strings that end the reply, and are not part of it"),
    ] = None
    stream: Annotated[bool | None, does("the reply comes as events", default=False)] = None
    temperature: Annotated[
        float | None, Field(ge=0, le=1), does("0 takes the likeliest token", default=1)
    ] = None
    top_k: Annotated[
        int | None,
        Field(ge=0, le=2**31 - 1),
        does("leaves so many of the likeliest tokens; 0: all", default=0),
    ] = None
    top_p: TopP = None

    diagnostics: Annotated[
        Diagnostics | None, harmless("tells why a cache was missed: always `null`")
    ] = None
    service_tier: Annotated[
        Literal["auto", "standard_only"] | None, harmless("there is one tier")
    ] = None

    def check_combinations(self) -> None:
        super().check_combinations()
        thinking = self.thinking
        if thinking is not None and (thinking.budget_tokens or 0) >= max(1, self.max_tokens):
            message = "max_tokens must be greater than thinking.budget_tokens"
            raise BadRequest(message, "max_tokens")

    def question(self) -> Question:
        """Raises BadRequest for fields that do not go together."""
        form, form_field = self.form
        return Question(
            prompts=[self.chat_prompt()],
            prompt_field=PROMPT_FIELD,
            default_tokens=self.max_tokens,
            sampling=SamplingWishes(
                temperature=self.temperature, top_k=self.top_k, top_p=self.top_p
            ),
            stops=self.stop_sequences or (),
            form=form,
            form_field=form_field,
        )
