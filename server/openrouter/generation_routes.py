"""POST /chat/completions, /completions and /responses as OpenRouter takes and answers them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from server.errors import NotFound
from server.generation_log import Origin
from server.json_body import read_json_object
from server.openai.answer import Call, answer
from server.openai.generation_routes import CHAT, COMPLETIONS, chat_call, completion_call
from server.openai.reply_shapes import EVENT, RESPONSE
from server.openai.request_body import Parsed, check_body
from server.openai.responses.answering import answer as answer_turn
from server.openai.responses.turn import Turn
from server.openai.routing import routed
from server.openrouter.envelope import GenerationIdentity
from server.openrouter.reply_shapes import GENERATED
from server.openrouter.request_models import OpenRouterChat, OpenRouterCompletion
from server.openrouter.response_head import GenerationHead
from server.openrouter.response_request import GenerationResponse
from server.reply_meter import ReplyMeter
from server.route_notes import EVENTS, JSON, MODEL_ERRORS, RouteNotes, noted
from server.security import client_of
from server.services import Services

_ROUTING_VARIANTS = (":nitro", ":floor")
"""They order providers by speed or price, which makes no difference to one."""


class GenerationRoutes:
    def __init__(self, services: Services) -> None:
        self._services = services

    @noted(
        replace(
            CHAT,
            body=(OpenRouterChat, OpenRouterCompletion),
            replies={JSON: GENERATED, EVENTS: EVENT},
        )
    )
    async def create_chat_completion(self, request: Request) -> Response:
        """Takes a prompt too, as the reference service does: then it is a completion."""
        return await self._create(request, is_chat=True)

    @noted(replace(COMPLETIONS, body=(OpenRouterCompletion,)))
    async def create_completion(self, request: Request) -> Response:
        return await self._create(request, is_chat=False)

    @noted(
        RouteNotes(
            body=(GenerationResponse,),
            replies={JSON: RESPONSE, EVENTS: EVENT},
            errors=(*MODEL_ERRORS, NotFound),
        )
    )
    async def create_response(self, request: Request) -> Response:
        """As under /v1, but without a memory."""
        services = self._services
        meter = ReplyMeter(services.metrics)
        parsed = check_body(GenerationResponse, await self._read(request), services)
        asked, client = parsed.request, client_of(request)
        turn = await Turn.of(services, asked, client, is_stored=False, kind=GenerationHead)
        turn.question = await routed(services, asked, turn.question)
        turn.origin = _origin(request, asked.user, asked.session_id)
        headers = {**parsed.headers, "x-generation-id": turn.head.id}
        return await answer_turn(services, request, turn, meter, headers)

    async def _read(self, request: Request) -> dict[str, Any]:
        body = await read_json_object(request, self._services.settings.max_body_bytes)
        return _as_openai(body, self._services.model_names[0])

    async def _create(self, request: Request, *, is_chat: bool) -> Response:
        services = self._services
        meter = ReplyMeter(services.metrics)
        body = await self._read(request)
        if is_chat and ("messages" in body or "prompt" not in body):
            chat = check_body(OpenRouterChat, body, services)
            call = chat_call(services, Parsed(chat.request, chat.headers))
        else:
            completion = check_body(OpenRouterCompletion, body, services)
            call = completion_call(services, Parsed(completion.request, completion.headers))
        return await answer(services, request, _as_generation(call, request), meter)


def _as_openai(body: Mapping[str, Any], default_model: str) -> dict[str, Any]:
    """The body with what the reference service leaves unsaid."""
    named = [body.get("model"), *_list(body, "models"), default_model]
    model = next(name for name in named if name is not None)
    for variant in _ROUTING_VARIANTS:
        model = model.removesuffix(variant) if isinstance(model, str) else model
    said = {**body, "model": model}
    if _ends_with_prefill(_list(body, "messages")):
        said.setdefault("continue_final_message", True)
    return said


def _ends_with_prefill(messages: Sequence[Any]) -> bool:
    """Whether the last message is the beginning of the reply: text of the assistant."""
    last = messages[-1] if messages else None
    if not isinstance(last, dict):
        return False
    return last.get("role") == "assistant" and not last.get("tool_calls")


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    return value if isinstance(value, list) else []


def _as_generation(call: Call, request: Request) -> Call:
    fields = call.presentation.fields
    origin = _origin(request, fields.user, fields.session_id)
    presentation = replace(call.presentation, identity=GenerationIdentity)
    return replace(call, presentation=presentation, origin=origin)


def _origin(request: Request, user: str | None, session_id: str | None) -> Origin:
    headers = request.headers
    return Origin(
        referer=headers.get("http-referer"),
        user_agent=headers.get("user-agent"),
        user=user,
        session_id=session_id,
    )
