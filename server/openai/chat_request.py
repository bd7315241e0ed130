"""The body of POST /v1/chat/completions."""

from typing import Annotated

from server.errors import BadRequest
from server.field_notes import does
from server.openai.call_format import CallFormat
from server.openai.chat_prompt import ChatPromptFields, Messages
from server.openai.generation_fields import GenerationFields
from server.openai.sampling_types import MaxTokens, TopLogprobs
from server.question import Question
from server.tools import ToolMode


class ChatRequest(ChatPromptFields, GenerationFields):
    messages: Messages
    max_completion_tokens: Annotated[
        MaxTokens, does("today's name of `max_tokens`; not both", otherwise="`max_tokens`")
    ] = None
    logprobs: Annotated[
        bool | None, does("each token of the reply has its log-probability", default=False)
    ] = None
    top_logprobs: Annotated[
        TopLogprobs, does("with `logprobs`, so many alternatives for each token", default=0)
    ] = None

    @property
    def wanted_tokens(self) -> int | None:
        """The most tokens to generate; None: whatever the context has left."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def num_logprobs(self) -> int | None:
        """How many alternatives accompany each token; None: no log-probabilities at all."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def call_format(self) -> CallFormat:
        is_named = self.toolbox().choice.mode is ToolMode.NAMED
        return CallFormat(is_older_form=self.is_older_form, is_named=is_named)

    def check_combinations(self) -> None:
        super().check_combinations()
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            message = "give max_completion_tokens or max_tokens (its old name), not both"
            raise BadRequest(message, "max_tokens")
        if self.top_logprobs is not None and not self.logprobs:
            raise BadRequest("top_logprobs needs logprobs: true", "top_logprobs")
        self.chat_prompt(self.messages)

    def question(self) -> Question:
        """Raises BadRequest as `sampling_wishes` and `form`."""
        form, form_field = self.form
        return Question(
            prompts=[self.chat_prompt(self.messages)],
            prompt_field="messages",
            wanted_tokens=self.wanted_tokens,
            sampling=self.sampling_wishes(self.num_logprobs),
            stops=self.stops,
            num_choices=self.num_choices,
            prompt_logprobs=self.prompt_logprobs,
            form=form,
            form_field=form_field,
        )
