"""What /v1/responses refuses, beyond what all routes refuse."""

from collections.abc import Mapping

from server.openai.field_policy import UNSUPPORTED_FIELDS

REFUSED_FIELDS: Mapping[str, tuple[object, ...]] = {
    **UNSUPPORTED_FIELDS,
    # OpenAI's Responses API
    "access_programs": (),
    "background_options": (),
    "context_management": ([],),
    "conversation": (),
    "image": (),
    "personality": (),
    "prompt": (),
    "reasoning": (
        {},
        {"effort": None},
        {"effort": "none"},
        {"summary": None},
        {"effort": None, "summary": None},
        {"effort": "none", "summary": None},
    ),
    # what chat and completions have under other names, or alone
    "ebnf": (),
    "frequency_penalty": (0,),
    "grammar": ("",),
    "guided_choice": (),
    "guided_grammar": (),
    "guided_json": (),
    "guided_regex": (),
    "ignore_eos": (False,),
    "json_schema": (),
    "logit_bias": ({},),
    "logprobs": (False,),
    "max_completion_tokens": (),
    "max_tokens": (),
    "messages": (),
    "min_p": (0,),
    "min_tokens": (0,),
    "models": ([],),
    "n": (1,),
    "plugins": ([],),
    "presence_penalty": (0,),
    "prompt_logprobs": (),
    "provider": ({},),
    "regex": (),
    "repetition_penalty": (1,),
    "response_format": ({"type": "text"},),
    "seed": (),
    "stop": ([],),
    "stop_token_ids": ([],),
    "structured_outputs": (),
    "top_a": (0,),
    "top_k": (0, -1),
    "transforms": ([],),
    "usage": ({"include": True}, {"include": False}),
}
"""Name -> the values that ask for nothing; null always does."""
