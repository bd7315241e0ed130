"""POST /v1/messages and POST /v1/messages/count_tokens."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.anthropic.answer import answer
from server.anthropic.create_message import CreateMessage
from server.anthropic.errors import PromptTooLong
from server.anthropic.prompt_request import PROMPT_FIELD, CountTokens
from server.anthropic.reply_shapes import EVENT, INPUT_TOKENS, MESSAGE
from server.errors import ContextLengthExceeded, ModelNotFound, NotFound
from server.openai.request_body import read_request
from server.prompt import loaded_info
from server.reply_meter import ReplyMeter
from server.route_notes import (
    EVENTS,
    JSON,
    LOADING_ERRORS,
    MODEL_ERRORS,
    RouteNotes,
    noted,
)
from server.services import Services

_CREATE = RouteNotes(
    body=(CreateMessage,), replies={JSON: MESSAGE, EVENTS: EVENT}, errors=MODEL_ERRORS
)
_COUNT = RouteNotes(
    body=(CountTokens,), replies={JSON: INPUT_TOKENS}, errors=(ModelNotFound, *LOADING_ERRORS)
)


class MessageRoutes:
    def __init__(self, services: Services) -> None:
        self._services = services

    @noted(_CREATE)
    async def create(self, request: Request) -> Response:
        meter = ReplyMeter(self._services.metrics)
        parsed = await read_request(CreateMessage, request, self._services)
        return await answer(self._services, request, parsed, meter)

    @noted(_COUNT)
    async def count_tokens(self, request: Request) -> JSONResponse:
        """What `usage` of a reply would count as its input."""
        parsed = await read_request(CountTokens, request, self._services)
        info = loaded_info(self._services.engine)
        encode = self._services.encoder.encode
        try:
            ids = await encode(parsed.request.chat_prompt(), info, PROMPT_FIELD)
        except ContextLengthExceeded as error:
            raise PromptTooLong(error) from error
        told: dict[str, object] = {"input_tokens": len(ids)}
        if parsed.request.context_management is not None:
            told["context_management"] = {"original_input_tokens": len(ids)}
        return JSONResponse(told, headers=parsed.headers)

    async def refuse_batches(self) -> Response:
        raise NotFound("Batches of messages are not supported by this server")
