"""The way of one text generation request to its result, whole or as a stream."""

from dataclasses import dataclass, replace
from typing import Any

from server.asking import ask
from server.cloudflare.chunks import frames
from server.cloudflare.errors import error_body
from server.cloudflare.generation_fields import DEFAULT_MAX_TOKENS, GenerationFields
from server.cloudflare.messages_request import MessagesRequest
from server.cloudflare.result import result_object
from server.error_responses import failure
from server.generation import Reply
from server.openai.envelope import Identity
from server.reply_meter import ReplyMeter
from server.services import Services
from server.sse import EventStream, data_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One request that was understood. `model` is its name as the caller wrote it.

    `is_background`: nobody waits for it.
    """

    fields: GenerationFields
    model: str
    client: str
    default_tokens: int = DEFAULT_MAX_TOKENS
    is_background: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """`warnings` say what of the demanded form is not certain."""

    result: dict[str, Any]
    warnings: tuple[str, ...]


async def whole_result(services: Services, task: Task, meter: ReplyMeter) -> Outcome:
    """Generate the text.

    Raises:
        BadRequest: a prompt does not fit, a value does not fit this model, or JSON was cut short.
        EngineError: the engine refuses, or fails.
    """
    identity, reply = await _begin(services, task, meter)
    try:
        (choice,) = await reply.fold()
        is_chat = isinstance(task.fields, MessagesRequest)
        result = result_object(
            choice,
            reply.usage,
            identity,
            task.model,
            is_chat=is_chat,
            wants_json=task.fields.wants_json,
        )
        return Outcome(result, reply.warnings)
    finally:
        reply.cancel()


async def stream(
    services: Services, task: Task, meter: ReplyMeter, headers: dict[str, str]
) -> EventStream:
    """Raises as `whole_result`; failures after the first event are the last event."""
    _, reply = await _begin(services, task, meter)
    return EventStream(
        frames(reply),
        error_frame=lambda error: data_frame(error_body(failure(error, services.metrics))),
        on_close=reply.cancel,
        settings=services.settings,
        headers=headers,
    )


async def _begin(services: Services, task: Task, meter: ReplyMeter) -> tuple[Identity, Reply]:
    identity = Identity.new("chatcmpl", services)
    question = replace(task.fields.question(task.default_tokens), is_background=task.is_background)
    reply = await ask(services, question, request_id=identity.id, client=task.client, meter=meter)
    return identity, reply
