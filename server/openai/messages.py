"""The messages of a chat request: what is accepted, and what it means."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

from server.errors import BadRequest
from server.openai.request_model import RequestModel
from server.question import ChatMessage, PastCall, Role

MAX_MESSAGES = 2048
MAX_CONTENT_PARTS = 256
MAX_TOOL_CALLS = 128

Name = Annotated[str, StringConstraints(max_length=256)]


def _text_parts(content: object) -> str | list[str] | None:
    """Text stays text; a list of parts becomes the list of their texts."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list) or not 1 <= len(content) <= MAX_CONTENT_PARTS:
        message = f"must be a string or a list of 1 to {MAX_CONTENT_PARTS} text parts"
        raise PydanticCustomError("content_type", "{reason}", {"reason": message})
    return [_text_of_part(part) for part in content]


def _text_of_part(part: object) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    text = part.get(kind) if isinstance(part, dict) and kind in ("text", "refusal") else None
    if isinstance(text, str):
        return text
    if kind in ("image_url", "input_audio", "file", "video_url", "audio_url"):
        raise PydanticCustomError(
            "unsupported_parameter",
            "the model reads text only, not parts of type {kind}",
            {"kind": kind},
        )
    raise PydanticCustomError(
        "content_part", "each part must be an object of type 'text' with a string 'text'"
    )


class CalledFunction(RequestModel):
    name: Name
    arguments: str


class ToolCall(RequestModel):
    id: Name
    type: Literal["function"]
    function: CalledFunction


_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",  # today's name for it
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",  # its older name
}


class Message(RequestModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[str | list[str] | None, PlainValidator(_text_parts)] = None
    tool_calls: list[ToolCall] | None = Field(None, max_length=MAX_TOOL_CALLS)
    tool_call_id: Name | None = None
    function_call: CalledFunction | None = None

    # What clients send back from an earlier reply, or for their own use: not shown to the model.
    name: Name | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None
    audio: None = None

    @property
    def is_assistants_text(self) -> bool:
        return self.role == "assistant" and not (self.tool_calls or self.function_call)

    def neutral(self) -> ChatMessage:
        """The message without its dialect."""
        content = self.content
        calls = [(call.id, call.function) for call in self.tool_calls or ()]
        if self.function_call is not None:
            calls.append(("", self.function_call))
        return ChatMessage(
            role=_ROLES[self.role],
            content=tuple(content) if isinstance(content, list) else content or "",
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
