"""POST /v1/chat/completions and POST /v1/completions: from the body to the question they ask."""

from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from server.best_of import best_of
from server.errors import NotFound
from server.openai.answer import Call, Presentation, answer
from server.openai.chat_request import ChatRequest
from server.openai.choice_format import ChatFormat
from server.openai.completion_format import CompletionFormat
from server.openai.completion_request import CompletionRequest
from server.openai.envelope import Identity, PricedIdentity
from server.openai.generation_fields import GenerationFields
from server.openai.reply_shapes import CHAT_COMPLETION, COMPLETION, EVENT
from server.openai.request_body import Parsed, read_request
from server.reply_meter import ReplyMeter
from server.route_notes import EVENTS, JSON, MODEL_ERRORS, RouteNotes, noted
from server.services import Services

CHAT = RouteNotes(
    body=(ChatRequest,),
    replies={JSON: CHAT_COMPLETION, EVENTS: EVENT},
    errors=(*MODEL_ERRORS, NotFound),
)
COMPLETIONS = replace(CHAT, body=(CompletionRequest,), replies={JSON: COMPLETION, EVENTS: EVENT})


class GenerationRoutes:
    def __init__(self, services: Services) -> None:
        self._services = services

    @noted(CHAT)
    async def create_chat_completion(self, request: Request) -> Response:
        meter = ReplyMeter(self._services.metrics)
        parsed = await read_request(ChatRequest, request, self._services)
        call = chat_call(self._services, parsed)
        return await answer(self._services, request, call, meter)

    @noted(COMPLETIONS)
    async def create_completion(self, request: Request) -> Response:
        meter = ReplyMeter(self._services.metrics)
        parsed = await read_request(CompletionRequest, request, self._services)
        call = completion_call(self._services, parsed)
        return await answer(self._services, request, call, meter)


def chat_call(services: Services, parsed: Parsed[ChatRequest]) -> Call:
    """Raises BadRequest for what the prompt cannot be made of."""
    chat = parsed.request
    shape = ChatFormat(
        services.tokenizer,
        with_logprobs=chat.num_logprobs is not None,
        calls=chat.call_format,
        num_prompt_logprobs=chat.prompt_logprobs,
    )
    presentation = Presentation(
        fields=chat, shape=shape, headers=parsed.headers, identity=_identity(chat)
    )
    return Call(chat.question(), presentation)


def completion_call(services: Services, parsed: Parsed[CompletionRequest]) -> Call:
    """Raises BadRequest for what the prompt cannot be made of."""
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
            best_of, num_candidates=completion.num_candidates, num_kept=completion.num_choices
        ),
        identity=_identity(completion),
    )
    return Call(completion.question(), presentation)


def _identity(fields: GenerationFields) -> type[Identity]:
    return PricedIdentity if fields.wants_cost else Identity
