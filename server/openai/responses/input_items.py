"""The items of a response's input: what is accepted, and how they are kept and given back."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    StringConstraints,
    Tag,
)

from server.openai.request_model import RequestModel
from server.openai.responses.input_content import as_texts, text_parts

MAX_ITEMS = 2048

ItemId = Annotated[str, StringConstraints(max_length=128)]
CallId = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Texts = Annotated[str | list[str], PlainValidator(as_texts)]
Status = Literal["in_progress", "completed", "incomplete"]


class InputMessage(RequestModel):
    """A turn: the client's own, or one of the model's that the client sends back."""

    type: Literal["message"] | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: Texts
    id: ItemId | None = None
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None

    def stored(self, new_id: str) -> dict[str, Any]:
        is_output = self.role == "assistant"
        return {
            "id": self.id or f"msg_{new_id}",
            "type": "message",
            "role": self.role,
            "status": "completed",
            "content": text_parts(self.content, "output_text" if is_output else "input_text"),
        }


class FunctionCall(RequestModel):
    type: Literal["function_call"]
    call_id: CallId
    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    arguments: str
    id: ItemId | None = None
    status: Status | None = None

    def stored(self, new_id: str) -> dict[str, Any]:
        return {
            "id": self.id or f"fc_{new_id}",
            "type": "function_call",
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
            "status": "completed",
        }


class FunctionCallOutput(RequestModel):
    type: Literal["function_call_output"]
    call_id: CallId
    output: Texts
    id: ItemId | None = None
    status: Status | None = None

    def stored(self, new_id: str) -> dict[str, Any]:
        whole = self.output if isinstance(self.output, str) else None
        return {
            "id": self.id or f"fco_{new_id}",
            "type": "function_call_output",
            "call_id": self.call_id,
            "output": text_parts(self.output, "input_text") if whole is None else whole,
            "status": "completed",
        }


class Reasoning(RequestModel):
    """What a reasoning model thought before: accepted in histories, and not shown to this one."""

    type: Literal["reasoning"]
    id: ItemId | None = None
    summary: list[Any] | None = None
    content: list[Any] | None = None
    encrypted_content: str | None = None
    status: Status | None = None

    def stored(self, new_id: str) -> dict[str, Any]:
        return {
            "id": self.id or f"rs_{new_id}",
            "type": "reasoning",
            "summary": self.summary or [],
            "status": "completed",
        }


class ItemReference(RequestModel):
    """An item of the output of a stored response, by its id."""

    type: Literal["item_reference"]
    id: Annotated[str, StringConstraints(min_length=1, max_length=128)]


_KINDS = ("message", "function_call", "function_call_output", "reasoning", "item_reference")


def _tag(item: object) -> str | None:
    """Angle brackets keep the tag apart from field names in the path of an error."""
    kind = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)
    if kind is None and isinstance(item, dict) and "role" in item:
        kind = "message"
    return f"<{kind}>" if kind in _KINDS else None


InputItem = InputMessage | FunctionCall | FunctionCallOutput | Reasoning | ItemReference
TaggedItem = Annotated[
    Annotated[InputMessage, Tag("<message>")]
    | Annotated[FunctionCall, Tag("<function_call>")]
    | Annotated[FunctionCallOutput, Tag("<function_call_output>")]
    | Annotated[Reasoning, Tag("<reasoning>")]
    | Annotated[ItemReference, Tag("<item_reference>")],
    Discriminator(
        _tag,
        custom_error_type="item_type",
        custom_error_message=f"the type of an item must be one of {', '.join(_KINDS)}",
    ),
]


def _as_items(value: object) -> object:
    """A plain string is one message of the user."""
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


Input = Annotated[
    list[TaggedItem],
    Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True),
    BeforeValidator(_as_items),
]
