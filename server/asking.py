"""From a neutral question to a running reply: the way into the engine of every dialect.

Needs no HTTP request, so that what runs in the background asks in the same way.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from engine.interface import EngineInfo
from engine.request import GenerationRequest
from model_loader.text_decoder import TextDecoder
from model_loader.tokenizer import Tokenizer
from sampling.params import SamplingParams
from server.errors import BadRequest
from server.form import compiled_grammar
from server.generation import Reply, submit
from server.prompt import loaded_info, tokens_to_generate
from server.prompt_echo import PromptEcho
from server.question import Question, SamplingWishes
from server.reply_meter import ReplyMeter
from server.services import Services
from server.tool_splitter import OPENING_TAG
from server.tools import Toolbox, ToolMode

LEAST_BIAS = -100.0
"""As good as a ban, says OpenAI's documentation of `logit_bias`, and as low as it goes."""


async def ask(
    services: Services, question: Question, *, request_id: str, client: str, meter: ReplyMeter
) -> Reply:
    """Encode the prompts and hand them to the engine: all of them, or none.

    `request_id` is unique among running requests; `client` is the fairness key.

    Raises:
        BadRequest: a prompt does not fit, a value does not fit this model, or the form that is
            demanded cannot be followed.
        EngineError: the engine refuses, or is not ready.
    """
    info = loaded_info(services.engine)
    encode = services.encoder.encode
    prompts = [await encode(prompt, info, question.prompt_field) for prompt in question.prompts]
    meter.on_end(partial(services.usage.add, client))
    echoes: Sequence[PromptEcho] = ()
    if question.echoes_prompt:
        echoes = await asyncio.to_thread(_echoes, services, question, prompts)
    grammar = await compiled_grammar(services, question)
    forbidden = _forbidden_ids(question.toolbox, services.tokenizer)
    requests = [
        GenerationRequest(
            request_id=f"{request_id}-{index}",
            prompt_ids=prompt_ids,
            sampling=_sampling_params(question, len(prompt_ids), info, forbidden),
            num_choices=question.num_choices,
            client=client,
            prompt_logprobs=question.prompt_logprobs,
            grammar=grammar.source if grammar else None,
            is_background=question.is_background,
        )
        for index, prompt_ids in enumerate(prompts)
    ]
    reply = submit(
        services.engine,
        requests,
        lambda: TextDecoder(services.tokenizer),
        question.stops,
        meter,
        echoes,
        calls=question.toolbox.choice if question.toolbox.may_be_called else None,
    )
    reply.warnings = tuple(grammar.warnings) if grammar else ()
    return reply


def _echoes(
    services: Services, question: Question, prompts: Sequence[tuple[int, ...]]
) -> list[PromptEcho]:
    num_alternatives = question.sampling.logprobs or 0
    return [PromptEcho.of(ids, services.tokenizer, num_alternatives) for ids in prompts]


def _forbidden_ids(toolbox: Toolbox, tokenizer: Tokenizer) -> list[int]:
    """A call that is not wanted cannot begin; the prompt keeps its tools, and so its cache."""
    tag_id = tokenizer.control_tokens.get(OPENING_TAG)
    is_unwanted = bool(toolbox.tools) and toolbox.choice.mode is ToolMode.NONE
    return [tag_id] if is_unwanted and tag_id is not None else []


def _sampling_params(
    question: Question, prompt_length: int, info: EngineInfo, forbidden_ids: Sequence[int]
) -> SamplingParams:
    """Raises BadRequest (or InvalidSamplingParams) for values that do not fit this model."""
    max_tokens = tokens_to_generate(
        prompt_length, question.wanted_tokens, info.context_length, question.prompt_field
    )
    if question.wanted_tokens is None and question.default_tokens is not None:
        max_tokens = min(max_tokens, question.default_tokens)
    wishes = question.sampling
    if wishes.min_tokens > max_tokens:
        message = f"min_tokens ({wishes.min_tokens}) is more than max_tokens ({max_tokens})"
        raise BadRequest(message, "min_tokens")
    return SamplingParams(
        max_tokens=max_tokens,
        top_k=max(0, wishes.top_k or 0),
        logit_bias=_biases(
            {**wishes.logit_bias, **dict.fromkeys(forbidden_ids, LEAST_BIAS)}, info.vocab_size
        ),
        stop_token_ids=_stop_ids(wishes.stop_token_ids, info.vocab_size),
        min_tokens=wishes.min_tokens,
        ignore_eos=wishes.ignore_eos,
        seed=wishes.seed,
        logprobs=wishes.logprobs,
        **_asked(wishes),
    )


def _asked(wishes: SamplingWishes) -> dict[str, float]:
    """What the caller did not leave to the sampler's defaults."""
    asked = {
        "temperature": wishes.temperature,
        "top_p": wishes.top_p,
        "min_p": wishes.min_p,
        "top_a": wishes.top_a,
        "repetition_penalty": wishes.repetition_penalty,
        "frequency_penalty": wishes.frequency_penalty,
        "presence_penalty": wishes.presence_penalty,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _biases(biases: Mapping[int, float], vocab_size: int) -> tuple[tuple[int, float], ...]:
    if not all(0 <= token_id < vocab_size for token_id in biases):
        message = f"logit_bias keys must be token ids between 0 and {vocab_size - 1}"
        raise BadRequest(message, "logit_bias")
    return tuple(biases.items())


def _stop_ids(token_ids: Sequence[int], vocab_size: int) -> tuple[int, ...]:
    if not all(0 <= token_id < vocab_size for token_id in token_ids):
        message = f"stop_token_ids must be between 0 and {vocab_size - 1}"
        raise BadRequest(message, "stop_token_ids")
    return tuple(dict.fromkeys(token_ids))
