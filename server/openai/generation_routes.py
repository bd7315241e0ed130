"""POST /v1/chat/completions and POST /v1/completions: from the body to the question they ask."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from server.best_of import best_of
from server.openai.answer import Presentation, answer
from server.openai.chat_request import ChatRequest
from server.openai.choice_format import ChatFormat
from server.openai.completion_format import CompletionFormat
from server.openai.completion_request import CompletionRequest
from server.openai.request_body import read_request
from server.reply_meter import ReplyMeter
from server.services import Services


class GenerationRoutes:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def create_chat_completion(self, request: Request) -> Response:
        services = self._services
        meter = ReplyMeter(services.metrics)
        parsed = await read_request(ChatRequest, request, services)
        chat = parsed.request
        shape = ChatFormat(
            services.tokenizer,
            with_logprobs=chat.num_logprobs is not None,
            num_prompt_logprobs=chat.prompt_logprobs,
        )
        presentation = Presentation(fields=chat, shape=shape, headers=parsed.headers)
        return await answer(services, request, chat.question(), presentation, meter)

    async def create_completion(self, request: Request) -> Response:
        services = self._services
        meter = ReplyMeter(services.metrics)
        parsed = await read_request(CompletionRequest, request, services)
        completion = parsed.request
        shape = CompletionFormat(
            services.tokenizer,
            with_logprobs=completion.logprobs is not None,
            num_prompt_logprobs=completion.prompt_logprobs,
        )
        presentation = Presentation(
            fields=completion,
            shape=shape,
            headers=parsed.headers,
            shown=partial(
                best_of,
                num_candidates=completion.num_candidates,
                num_kept=completion.num_choices,
            ),
        )
        return await answer(services, request, completion.question(), presentation, meter)
