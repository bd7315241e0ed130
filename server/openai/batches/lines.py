"""Executes one line of a batch: what its endpoint would have replied, without HTTP."""

import json
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from server.batches.output import LineAnswer
from server.batches.record import TokenCounts
from server.error_responses import failure
from server.errors import UnsupportedParameter
from server.openai.answer import whole_answer
from server.openai.chat_request import ChatRequest
from server.openai.completion_request import CompletionRequest
from server.openai.generation_routes import chat_call, completion_call
from server.openai.request_body import check_body
from server.reply_meter import ReplyMeter
from server.services import Services


class LineExecutor:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._replies = {
            "/v1/chat/completions": self._chat,
            "/v1/completions": self._completion,
        }

    async def execute(self, endpoint: str, body: Mapping[str, Any], client: str) -> LineAnswer:
        """Raises nothing: an error is an answer, too."""
        request_id = f"req_{uuid.uuid4().hex}"
        try:
            if body.get("stream"):
                raise UnsupportedParameter("stream", "a batch has no streams")
            reply = json.loads(await self._replies[endpoint](body, client))
        except Exception as error:
            described = failure(error, self._services.metrics)
            return LineAnswer(status=described.status, request_id=request_id, body=described.body)
        tokens = _tokens(reply["usage"])
        return LineAnswer(status=HTTPStatus.OK, request_id=request_id, body=reply, tokens=tokens)

    async def _chat(self, body: Mapping[str, Any], client: str) -> bytes:
        call = chat_call(self._services, check_body(ChatRequest, body, self._services))
        return await whole_answer(self._services, call, client, self._meter())

    async def _completion(self, body: Mapping[str, Any], client: str) -> bytes:
        parsed = check_body(CompletionRequest, body, self._services)
        call = completion_call(self._services, parsed)
        return await whole_answer(self._services, call, client, self._meter())

    def _meter(self) -> ReplyMeter:
        return ReplyMeter(self._services.metrics)


def _tokens(usage: Mapping[str, Any]) -> TokenCounts:
    return TokenCounts(
        input_tokens=usage["prompt_tokens"],
        cached_tokens=usage["prompt_tokens_details"]["cached_tokens"],
        output_tokens=usage["completion_tokens"],
    )
