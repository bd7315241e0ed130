"""The body of POST /v1/messages."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from server.anthropic.prompt_request import PROMPT_FIELD, CountTokens
from server.anthropic.request_model import NestedModel
from server.errors import BadRequest
from server.openai.sampling_types import MAX_STOPS, StopString
from server.question import Question, SamplingWishes

UserId = Annotated[str, StringConstraints(max_length=4096)]


class Metadata(NestedModel):
    """Claude Code's `user_id` is a JSON object as text."""

    user_id: UserId | None = None


class Diagnostics(NestedModel):
    previous_message_id: str | None = None


class CreateMessage(CountTokens):
    """`max_tokens` may be more than the context has left: it is a limit, not a demand."""

    max_tokens: int = Field(ge=0, le=2**31 - 1)
    metadata: Metadata | None = None
    stop_sequences: list[StopString] | None = Field(None, max_length=MAX_STOPS)
    stream: bool | None = None
    temperature: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=0, le=2**31 - 1)
    top_p: float | None = Field(None, ge=0, le=1)

    # Checked, then without effect: see field_policy.HARMLESS_FIELDS.
    diagnostics: Diagnostics | None = None
    service_tier: Literal["auto", "standard_only"] | None = None

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
