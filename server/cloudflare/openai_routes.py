"""The OpenAI-compatible routes of an account, which know models by their names of Workers AI."""

from starlette.requests import Request
from starlette.responses import Response

from server.cloudflare.model_name import served_name
from server.json_body import read_json_object
from server.openai.answer import answer
from server.openai.chat_request import ChatRequest
from server.openai.completion_request import CompletionRequest
from server.openai.generation_routes import CHAT, COMPLETIONS, chat_call, completion_call
from server.openai.request_body import check_body
from server.reply_meter import ReplyMeter
from server.route_notes import noted
from server.services import Services


class OpenAIRoutes:
    """As under /v1, errors too: their clients are OpenAI's."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @noted(CHAT)
    async def create_chat_completion(self, request: Request) -> Response:
        meter = ReplyMeter(self._services.metrics)
        body = await self._read(request)
        call = chat_call(self._services, check_body(ChatRequest, body, self._services))
        return await answer(self._services, request, call, meter)

    @noted(COMPLETIONS)
    async def create_completion(self, request: Request) -> Response:
        meter = ReplyMeter(self._services.metrics)
        body = await self._read(request)
        call = completion_call(self._services, check_body(CompletionRequest, body, self._services))
        return await answer(self._services, request, call, meter)

    async def _read(self, request: Request) -> dict[str, object]:
        body = await read_json_object(request, self._services.settings.max_body_bytes)
        if isinstance(body.get("model"), str):
            body["model"] = served_name(body["model"], self._services)
        return body
