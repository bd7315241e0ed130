"""The items of a response's input: what is accepted, and how they are kept and given back."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)

from server.field_notes import does
from server.openai.request_model import RequestModel
from server.openai.responses.input_content import Content, SentBack, stored_parts

MAX_ITEMS = 2048

Id = Annotated[
    Annotated[str, StringConstraints(max_length=128)] | None,
    does("that of the item in `input_items`", otherwise="a new one"),
]
FunctionName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
CallId = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Status = Literal["in_progress", "completed", "incomplete"]


class InputMessage(RequestModel):
    """A turn: the client's own, or one of the model's that the client sends back."""

    type: Annotated[Literal["message"] | None, does("may be left out", default="message")] = None
    role: Annotated[
        Literal["user", "assistant", "system", "developer"],
        does("whose turn it is; `developer` is `system`"),
    ]
    content: Annotated[Content, does("what was said")]
    id: Id = None
    status: Annotated[Status | None, SentBack] = None
    phase: Annotated[Literal["commentary", "final_answer"] | None, SentBack] = None

    def stored(self, new_id: str) -> dict[str, Any]:
        is_output = self.role == "assistant"
        return {
            "id": self.id or f"msg_{new_id}",
            "type": "message",
            "role": self.role,
            "status": "completed",
            "content": stored_parts(self.content, "output_text" if is_output else "input_text"),
        }


class FunctionCall(RequestModel):
    type: Annotated[Literal["function_call"], does("a call of the model")]
    call_id: Annotated[CallId, does("what the output of the call names")]
    name: Annotated[FunctionName, does("which function was called")]
    arguments: Annotated[str, does("JSON; shown to the model as it is")]
    id: Id = None
    status: Annotated[Status | None, SentBack] = None

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
    type: Annotated[Literal["function_call_output"], does("what a function returned")]
    call_id: Annotated[CallId, does("the call that it answers")]
    output: Annotated[Content, does("what was returned")]
    id: Id = None
    status: Annotated[Status | None, SentBack] = None

    def stored(self, new_id: str) -> dict[str, Any]:
        whole = self.output if isinstance(self.output, str) else None
        return {
            "id": self.id or f"fco_{new_id}",
            "type": "function_call_output",
            "call_id": self.call_id,
            "output": stored_parts(self.output, "input_text") if whole is None else whole,
            "status": "completed",
        }


class Reasoning(RequestModel):
    """What a reasoning model thought before: accepted in histories, and not shown to this one."""

    type: Annotated[Literal["reasoning"], does("accepted, and not shown to the model")]
    id: Id = None
    summary: Annotated[list[Any] | None, does("kept with the input items")] = None
    content: Annotated[list[Any] | None, SentBack] = None
    encrypted_content: Annotated[str | None, SentBack] = None
    status: Annotated[Status | None, SentBack] = None

    def stored(self, new_id: str) -> dict[str, Any]:
        return {
            "id": self.id or f"rs_{new_id}",
            "type": "reasoning",
            "summary": self.summary or [],
            "status": "completed",
        }


class ItemReference(RequestModel):
    """An item of the output of a stored response, by its id."""

    type: Annotated[Literal["item_reference"], does("stands for a stored item")]
    id: Annotated[
        str,
        StringConstraints(min_length=1, max_length=128),
        does("of an item of a stored response"),
    ]


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


_Items = Annotated[list[TaggedItem], Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)]
Input = Annotated[_Items, BeforeValidator(_as_items, json_schema_input_type=str | _Items)]
