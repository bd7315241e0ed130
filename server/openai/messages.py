"""The messages of a chat request: what is accepted, and what it means."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.errors import BadRequest
from server.field_notes import does, harmless
from server.openai.request_model import RequestModel
from server.openai.text_parts import Content, texts_of
from server.question import ChatMessage, PastCall, Role

MAX_MESSAGES = 2048
MAX_TOOL_CALLS = 128

Name = Annotated[str, StringConstraints(max_length=256)]
NotShown = harmless("sent back from an earlier reply; the model is not shown it")


class CalledFunction(RequestModel):
    name: Annotated[Name, does("which function was called")]
    arguments: Annotated[str, does("JSON; shown to the model as it is")]


class ToolCall(RequestModel):
    id: Annotated[Name, does("shown to the model where its template has a place for it")]
    type: Annotated[Literal["function"], does("the only kind")]
    function: Annotated[CalledFunction, does("the call")]
    index: Annotated[Any, harmless("of a chunk that was sent back; calls have their order")] = None


_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",  # today's name for it
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",  # its older name
}


class Message(RequestModel):
    role: Annotated[
        Literal["system", "developer", "user", "assistant", "tool", "function"],
        does("whose turn it is; `developer` is `system`, `function` is `tool`"),
    ]
    content: Annotated[
        Content, does("what was said", otherwise="none, beside calls; else required")
    ] = None
    tool_calls: Annotated[
        list[ToolCall] | None,
        Field(max_length=MAX_TOOL_CALLS),
        does("an assistant's calls"),
    ] = None
    tool_call_id: Annotated[
        Name | None,
        does("the call that a `tool` message answers", otherwise="none; required with `tool`"),
    ] = None
    function_call: Annotated[
        CalledFunction | None, does("the older form of `tool_calls`; not both")
    ] = None

    name: Annotated[
        Name | None, harmless("the model is not shown it; `function` messages must have one")
    ] = None
    refusal: Annotated[str | None, NotShown] = None
    annotations: Annotated[list[Any] | None, NotShown] = None
    audio: Annotated[None, NotShown] = None

    @property
    def is_assistants_text(self) -> bool:
        return self.role == "assistant" and not (self.tool_calls or self.function_call)

    def neutral(self) -> ChatMessage:
        """The message without its dialect."""
        calls = [(call.id, call.function) for call in self.tool_calls or ()]
        if self.function_call is not None:
            calls.append(("", self.function_call))
        return ChatMessage(
            role=_ROLES[self.role],
            content=texts_of(self.content),
            tool_calls=tuple(
                PastCall(id=call_id, name=function.name, arguments=function.arguments)
                for call_id, function in calls
            ),
            tool_call_id=self.tool_call_id,
        )


def check_messages(messages: Sequence[Message]) -> None:
    """Raises BadRequest for fields that do not go with the role of their message."""
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        for field in ("tool_calls", "function_call"):
            if getattr(message, field) and message.role != "assistant":
                raise BadRequest(f"only assistant messages have {field}", f"{where}.{field}")
        if message.tool_calls and message.function_call:
            words = "give tool_calls or function_call (their older form), not both"
            raise BadRequest(words, f"{where}.function_call")
        if message.role == "tool" and message.tool_call_id is None:
            raise BadRequest("a tool message needs its tool_call_id", f"{where}.tool_call_id")
        if message.role == "function" and message.name is None:
            raise BadRequest("a function message needs its name", f"{where}.name")
        if message.content is None and not (message.tool_calls or message.function_call):
            raise BadRequest(
                f"content of this {message.role} message is missing", f"{where}.content"
            )
