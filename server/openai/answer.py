"""The way of a chat or completion request whose body is understood: prompts to reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.responses import Response

from engine.interface import EngineInfo
from engine.request import GenerationRequest
from model_loader.text_decoder import TextDecoder
from server.disconnect import while_connected
from server.errors import describe
from server.generation import Reply, submit
from server.metrics import Metrics
from server.openai.choice_format import ChoiceFormat
from server.openai.endings import ChunkWriter, whole_body
from server.openai.envelope import Identity
from server.openai.generation_fields import GenerationFields
from server.prompt import loaded_info, tokens_to_generate
from server.reply_meter import ReplyMeter
from server.security import client_of
from server.services import Services
from server.sse import EventStream, data_frame

_log = structlog.stdlib.get_logger("granite.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the engine, and how the answer is to look.

    `wanted_tokens` is the explicit limit of each reply, and `default_tokens` the limit without one;
    with neither, the context is the limit. `prompt_field` names the prompts in errors.
    """

    fields: GenerationFields
    prompts: Sequence[tuple[int, ...]]
    prompt_field: str
    wanted_tokens: int | None
    default_tokens: int | None
    num_logprobs: int | None
    shape: ChoiceFormat
    headers: Mapping[str, str]


async def answer(
    services: Services, request: Request, question: Question, meter: ReplyMeter
) -> Response:
    """Generate, and reply in one piece or as a stream.

    Raises:
        BadRequest: a prompt does not fit, or a value does not fit this model.
        EngineError: the engine refuses, or fails before there is anything to reply.
        ClientDisconnect: nobody is left to reply to.
    """
    info = loaded_info(services.engine)
    identity = Identity.new(question.shape.id_prefix, services.model_names[0], info)
    reply = submit(
        services.engine,
        _engine_requests(question, info, identity.id, client_of(request)),
        lambda: TextDecoder(services.tokenizer),
        question.fields.stops,
        meter,
    )
    if question.fields.stream:
        return _stream(services, reply, question, identity)
    try:
        work = whole_body(reply, question.shape, identity)
        body = await while_connected(request.receive, work)
    finally:
        reply.cancel()
    return Response(body, media_type="application/json", headers=dict(question.headers))


def _engine_requests(
    question: Question, info: EngineInfo, reply_id: str, client: str
) -> list[GenerationRequest]:
    requests = []
    for index, prompt_ids in enumerate(question.prompts):
        max_tokens = tokens_to_generate(
            len(prompt_ids), question.wanted_tokens, info.context_length, question.prompt_field
        )
        if question.wanted_tokens is None and question.default_tokens is not None:
            max_tokens = min(max_tokens, question.default_tokens)
        sampling = question.fields.sampling_params(
            max_tokens=max_tokens, logprobs=question.num_logprobs, vocab_size=info.vocab_size
        )
        requests.append(
            GenerationRequest(
                request_id=f"{reply_id}-{index}",
                prompt_ids=prompt_ids,
                sampling=sampling,
                num_choices=question.fields.num_choices,
                client=client,
            )
        )
    return requests


def _stream(
    services: Services, reply: Reply, question: Question, identity: Identity
) -> EventStream:
    writer = ChunkWriter(
        reply,
        question.shape,
        identity,
        includes_usage=question.fields.includes_usage,
        usage_in_between=question.fields.counts_usage_on_every_chunk,
    )
    return EventStream(
        writer.frames(),
        error_frame=lambda error: _error_frame(error, services.metrics),
        on_close=reply.cancel,
        settings=services.settings,
        headers=question.headers,
    )


def _error_frame(error: Exception, metrics: Metrics) -> bytes:
    """The last event of a reply that failed after it had begun."""
    described = describe(error)
    metrics.request_errors.labels(described.code).inc()
    if described.status == 500:
        _log.error("reply failed midway", exc_info=error)
    return data_frame(described.body)
