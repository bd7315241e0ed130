"""Executes one line of a batch: what its endpoint would have replied, without HTTP."""

import json
import uuid
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from server.batches.output import LineAnswer
from server.batches.record import TokenCounts
from server.error_responses import failure
from server.errors import UnsupportedParameter
from server.openai.answer import Call, whole_answer
from server.openai.chat_request import ChatRequest
from server.openai.completion_request import CompletionRequest
from server.openai.generation_routes import chat_call, completion_call
from server.openai.request_body import check_body
from server.openai.responses.answering import whole_response
from server.openai.responses.create_request import CreateResponse
from server.openai.responses.routes import new_turn
from server.reply_meter import ReplyMeter
from server.services import Services

Json = dict[str, Any]


class LineExecutor:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._replies = {
            "/v1/chat/completions": self._chat,
            "/v1/completions": self._completion,
            "/v1/responses": self._response,
        }

    async def execute(self, endpoint: str, body: Json, client: str) -> LineAnswer:
        """Raises nothing: an error is an answer, too."""
        request_id = f"req_{uuid.uuid4().hex}"
        try:
            for field in ("stream", "background"):
                if body.get(field):
                    raise UnsupportedParameter(field, f"{field} has no meaning in a batch")
            reply = await self._replies[endpoint](body, client)
        except Exception as error:
            described = failure(error, self._services.metrics)
            return LineAnswer(status=described.status, request_id=request_id, body=described.body)
        return LineAnswer(
            status=HTTPStatus.OK,
            request_id=request_id,
            body=reply,
            tokens=_tokens(reply["usage"]),
        )

    async def _chat(self, body: Json, client: str) -> Json:
        parsed = check_body(ChatRequest, body, self._services)
        return await self._answer(chat_call(self._services, parsed), client)

    async def _completion(self, body: Json, client: str) -> Json:
        parsed = check_body(CompletionRequest, body, self._services)
        return await self._answer(completion_call(self._services, parsed), client)

    async def _response(self, body: Json, client: str) -> Json:
        """Stored only if the line says so: its reply is in the output file already."""
        asked = check_body(CreateResponse, body, self._services).request
        turn = await new_turn(self._services, asked, client, is_batch=True)
        return await whole_response(turn, self._meter())

    async def _answer(self, call: Call, client: str) -> Json:
        question = replace(call.question, is_background=True)
        call = replace(call, question=question)
        reply: Json = json.loads(await whole_answer(self._services, call, client, self._meter()))
        return reply

    def _meter(self) -> ReplyMeter:
        return ReplyMeter(self._services.metrics, is_waited_for=False)


def _tokens(usage: Json) -> TokenCounts:
    """From OpenAI's two shapes of usage."""
    if "input_tokens" in usage:
        return TokenCounts(
            input_tokens=usage["input_tokens"],
            cached_tokens=usage["input_tokens_details"]["cached_tokens"],
            output_tokens=usage["output_tokens"],
        )
    return TokenCounts(
        input_tokens=usage["prompt_tokens"],
        cached_tokens=usage["prompt_tokens_details"]["cached_tokens"],
        output_tokens=usage["completion_tokens"],
    )
