"""What a prompt costs, what it says, what ids say.

POST /tokenize and POST /detokenize in vLLM's shape, POST /apply-template in llama.cpp's.
"""

import asyncio
from typing import Annotated

from starlette.requests import Request
from starlette.responses import JSONResponse

from server.errors import BadRequest, ModelNotFound
from server.field_notes import does
from server.openai.chat_prompt import ChatPromptFields, Messages
from server.openai.completion_request import ParseSpecial
from server.openai.generation_fields import AddSpecialTokens
from server.openai.reply_shapes import PROMPT, TOKENS
from server.openai.request_body import read_request
from server.openai.request_model import RequestBody
from server.prompt import loaded_info
from server.question import TextPrompt
from server.route_notes import JSON, LOADING_ERRORS, Errors, RouteNotes, noted
from server.services import Services


class TokenizeRequest(ChatPromptFields, RequestBody):
    """Either a prompt, as for completions, or messages, as for chat."""

    prompt: Annotated[str | None, does("raw text", otherwise="`messages` are required")] = None
    messages: Annotated[Messages | None, does("a chat", otherwise="`prompt` is required")] = None
    add_special_tokens: AddSpecialTokens = None
    parse_special: ParseSpecial = None

    def check_combinations(self) -> None:
        if (self.prompt is None) == (self.messages is None):
            raise BadRequest("give either prompt or messages", "prompt")
        others = ChatPromptFields.model_fields if self.messages is None else ("parse_special",)
        for name in others:
            if getattr(self, name) is not None:
                form = "messages" if self.messages is None else "prompt"
                raise BadRequest(f"{name} goes with {form} only", name)


class ApplyTemplateRequest(ChatPromptFields, RequestBody):
    messages: Messages


class DetokenizeRequest(RequestBody):
    tokens: Annotated[list[int], does("ids, at most as many as the context has room for")]


_ERRORS: Errors = (ModelNotFound, *LOADING_ERRORS)


class TokenRoutes:
    def __init__(self, services: Services) -> None:
        self._services = services

    @noted(RouteNotes(body=(TokenizeRequest,), replies={JSON: TOKENS}, errors=_ERRORS))
    async def tokenize(self, request: Request) -> JSONResponse:
        """`count` is what `usage.prompt_tokens` will be, also of texts too long to be answered."""
        parsed = await read_request(TokenizeRequest, request, self._services)
        asked = parsed.request
        info = loaded_info(self._services.engine)
        encode = self._services.encoder.encode
        if asked.messages is not None:
            ids = await encode(asked.chat_prompt(asked.messages), info, "messages")
        else:
            text = TextPrompt(asked.prompt or "", bool(asked.parse_special))
            ids = await encode(text, info, "prompt")
        context_length = info.context_length
        body = {"count": len(ids), "max_model_len": context_length, "tokens": ids}
        return JSONResponse(body, headers=parsed.headers)

    @noted(RouteNotes(body=(ApplyTemplateRequest,), replies={JSON: PROMPT}, errors=_ERRORS))
    async def apply_template(self, request: Request) -> JSONResponse:
        """The prompt of a chat as text, control tokens included."""
        parsed = await read_request(ApplyTemplateRequest, request, self._services)
        info = loaded_info(self._services.engine)
        prompt = parsed.request.chat_prompt(parsed.request.messages)
        ids = await self._services.encoder.encode(prompt, info, "messages")
        text = await asyncio.to_thread(self._services.tokenizer.decode, ids, skip_special=False)
        return JSONResponse({"prompt": text}, headers=parsed.headers)

    @noted(RouteNotes(body=(DetokenizeRequest,), replies={JSON: PROMPT}, errors=_ERRORS))
    async def detokenize(self, request: Request) -> JSONResponse:
        """The exact text of the ids, control tokens included."""
        parsed = await read_request(DetokenizeRequest, request, self._services)
        tokens = parsed.request.tokens
        info = loaded_info(self._services.engine)
        if len(tokens) > info.context_length:
            raise BadRequest(f"tokens must not be more than {info.context_length}", "tokens")
        if not all(0 <= token_id < info.vocab_size for token_id in tokens):
            raise BadRequest(f"tokens must be between 0 and {info.vocab_size - 1}", "tokens")
        decode = self._services.tokenizer.decode
        prompt = await asyncio.to_thread(decode, tokens, skip_special=False)
        return JSONResponse({"prompt": prompt}, headers=parsed.headers)
