"""The body of POST /v1/chat/completions."""

from typing import Annotated

from pydantic import Field

from sampling.params import MAX_TOP_LOGPROBS
from server.errors import BadRequest
from server.openai.generation_fields import GenerationFields
from server.openai.messages import MAX_MESSAGES, Message, check_messages
from server.question import ChatPrompt, Question


class ChatRequest(GenerationFields):
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True)]
    max_completion_tokens: int | None = Field(None, ge=1, le=2**31 - 1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MAX_TOP_LOGPROBS)

    @property
    def wanted_tokens(self) -> int | None:
        """The most tokens to generate; None: whatever the context has left."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def num_logprobs(self) -> int | None:
        """How many alternatives accompany each token; None: no log-probabilities at all."""
        return (self.top_logprobs or 0) if self.logprobs else None

    def unknown_fields(self) -> list[str]:
        in_messages = (
            f"messages[].{name}" for message in self.messages for name in message.model_extra or ()
        )
        return [*super().unknown_fields(), *dict.fromkeys(in_messages)]

    def check_combinations(self) -> None:
        super().check_combinations()
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            message = "give max_completion_tokens or max_tokens (its old name), not both"
            raise BadRequest(message, "max_tokens")
        if self.top_logprobs is not None and not self.logprobs:
            raise BadRequest("top_logprobs needs logprobs: true", "top_logprobs")
        check_messages(self.messages)

    def question(self) -> Question:
        """Raises BadRequest for a bias of what cannot be a token id."""
        return Question(
            prompts=[ChatPrompt(messages=[message.neutral() for message in self.messages])],
            prompt_field="messages",
            wanted_tokens=self.wanted_tokens,
            sampling=self.sampling_wishes(self.num_logprobs),
            stops=self.stops,
            num_choices=self.num_choices,
            prompt_logprobs=self.prompt_logprobs,
        )
