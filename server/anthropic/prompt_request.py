"""The fields that make the prompt; by themselves they are the body of a request to count it."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from server.anthropic.content_blocks import CacheControl, OwnCache, Texts
from server.anthropic.conversation import Conversation
from server.anthropic.field_policy import REFUSED_FIELDS
from server.anthropic.messages import Messages, check_messages
from server.anthropic.output_fields import OutputFields
from server.anthropic.tool_fields import ToolFields
from server.errors import BadRequest
from server.field_notes import does, harmless
from server.openai.request_model import RequestBody, RequestModel
from server.question import ChatPrompt

PROMPT_FIELD = "messages"
MIN_THINKING_BUDGET = 1024
MAX_EDITS = 16


class ThinkingConfig(RequestModel):
    """A budget is the most that a model may think, so that not to think at all is within it."""

    type: Annotated[
        Literal["enabled", "disabled", "adaptive", "between_tools"],
        harmless("the model does not think; `enabled` is named in `x-ignored-fields`"),
    ]
    budget_tokens: Annotated[
        int | None,
        Field(ge=MIN_THINKING_BUDGET),
        harmless("the most that may be spent; must be less than `max_tokens`"),
    ] = None
    display: Annotated[
        Literal["summarized", "omitted"] | None, harmless("there is nothing to show")
    ] = None


def _refuse_compaction(edit: dict[str, Any]) -> dict[str, Any]:
    if str(edit.get("type")).startswith("compact"):
        raise PydanticCustomError("unsupported_parameter", "compaction is not supported")
    return edit


class ContextManagement(RequestModel):
    """There is no thinking to be cleared, and results of tools are not cleared."""

    edits: Annotated[
        list[Annotated[dict[str, Any], AfterValidator(_refuse_compaction)]] | None,
        Field(max_length=MAX_EDITS),
        does(
            "those that clear thinking find none; those that clear results of tools are not done, "
            "and named in `x-ignored-fields`; compaction is refused"
        ),
    ] = None

    def unknown_fields(self) -> list[str]:
        kinds = [str(edit.get("type")) for edit in self.edits or ()]
        unmet = [f"edits[].{kind}" for kind in kinds if not kind.startswith("clear_thinking")]
        return [*super().unknown_fields(), *unmet]


class CountTokens(ToolFields, OutputFields, RequestBody):
    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = REFUSED_FIELDS

    model: Annotated[str, does("a served name")]
    messages: Annotated[
        Messages,
        does("the conversation; a last one of the assistant is the beginning of the reply"),
    ]
    system: Annotated[
        Texts | None, does("instructions before everything", otherwise="the template's own")
    ] = None
    context_management: Annotated[
        ContextManagement | None, does("what to clear of the prompt; nothing is")
    ] = None

    cache_control: Annotated[CacheControl | None, OwnCache] = None
    thinking: Annotated[
        ThinkingConfig | None,
        harmless("the model does not think; a demand is named in `x-ignored-fields`"),
    ] = None

    def unknown_fields(self) -> list[str]:
        """A demand to think counts as such."""
        is_demanded = self.thinking is not None and self.thinking.type == "enabled"
        return [*super().unknown_fields(), *(["thinking"] if is_demanded else [])]

    def check_combinations(self) -> None:
        super().check_combinations()
        check_messages(self.messages)
        thinking = self.thinking
        if thinking is not None and thinking.type == "enabled" and thinking.budget_tokens is None:
            raise BadRequest("budget_tokens is required", "thinking.budget_tokens")
        prompt, (form, form_field) = self.chat_prompt(), self.form
        if prompt.continues_final_message and form is not None:
            message = f"{form_field}: a form is that of a whole reply, which has begun already"
            raise BadRequest(message, form_field)

    def chat_prompt(self) -> ChatPrompt:
        """A last message of the assistant is the beginning of the reply.

        Raises:
            BadRequest: fields do not go together.
        """
        conversation = Conversation.of(self.system or (), self.messages)
        turns = conversation.turns
        has_begun = bool(turns) and turns[-1].role == "assistant"
        if has_begun and turns[-1].tool_calls:
            where = f"messages[{len(self.messages) - 1}]"
            raise BadRequest("the calls of the last message have no tool_result", where)
        return ChatPrompt(
            messages=turns,
            toolbox=self.toolbox(conversation.referenced),
            documents=conversation.documents,
            continues_final_message=has_begun,
        )
