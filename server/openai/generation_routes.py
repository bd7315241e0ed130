"""POST /v1/chat/completions and POST /v1/completions: from the body to the question they ask."""

from starlette.requests import Request
from starlette.responses import Response

from server.errors import BadRequest
from server.openai.answer import Question, answer
from server.openai.chat_request import ChatRequest
from server.openai.choice_format import ChatFormat, CompletionFormat
from server.openai.completion_request import DEFAULT_MAX_TOKENS, CompletionRequest, Prompt
from server.openai.request_body import read_request
from server.prompt import PromptEncoder, loaded_info
from server.reply_meter import ReplyMeter
from server.services import Services


class GenerationRoutes:
    def __init__(self, services: Services, encoder: PromptEncoder) -> None:
        self._services = services
        self._encoder = encoder

    async def create_chat_completion(self, request: Request) -> Response:
        services = self._services
        meter = ReplyMeter(services.metrics)
        parsed = await read_request(ChatRequest, request, services)
        chat = parsed.request
        context_length = loaded_info(services.engine).context_length
        messages = [message.template_view() for message in chat.messages]
        question = Question(
            fields=chat,
            prompts=[await self._encoder.encode_chat(messages, context_length)],
            prompt_field="messages",
            wanted_tokens=chat.wanted_tokens,
            default_tokens=None,
            num_logprobs=chat.num_logprobs,
            shape=ChatFormat(services.tokenizer, with_logprobs=chat.num_logprobs is not None),
            headers=parsed.headers,
        )
        return await answer(services, request, question, meter)

    async def create_completion(self, request: Request) -> Response:
        services = self._services
        meter = ReplyMeter(services.metrics)
        parsed = await read_request(CompletionRequest, request, services)
        completion = parsed.request
        parse_special = bool(completion.parse_special)
        question = Question(
            fields=completion,
            prompts=[await self._encode(prompt, parse_special) for prompt in completion.prompt],
            prompt_field="prompt",
            wanted_tokens=completion.max_tokens,
            default_tokens=DEFAULT_MAX_TOKENS,
            num_logprobs=completion.logprobs,
            shape=CompletionFormat(
                services.tokenizer, with_logprobs=completion.logprobs is not None
            ),
            headers=parsed.headers,
        )
        return await answer(services, request, question, meter)

    async def _encode(self, prompt: Prompt, parse_special: bool) -> tuple[int, ...]:
        info = loaded_info(self._services.engine)
        if isinstance(prompt, str):
            return await self._encoder.encode_text(
                prompt, info.context_length, parse_special=parse_special
            )
        if not all(0 <= token_id < info.vocab_size for token_id in prompt):
            message = f"token ids of a prompt must be between 0 and {info.vocab_size - 1}"
            raise BadRequest(message, "prompt")
        return tuple(prompt)
