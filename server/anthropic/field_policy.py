"""The fields that this dialect refuses by name."""

from collections.abc import Mapping

REFUSED_FIELDS: Mapping[str, tuple[object, ...]] = {
    "billing_policy": (
        {"type": "billing_policy"},
        {"type": "billing_policy", "bill_to": "self"},
    ),
    "compaction": (),
    "container": (),
    "fallback_credit_token": (),
    "fallbacks": ([], "default"),
    "inference_geo": ("global",),
    "mcp_servers": ([],),
    "speed": ("standard",),
    "thread": (),
    # the names that other dialects have for what this one can do, or cannot
    "frequency_penalty": (0,),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "max_completion_tokens": (),
    "max_output_tokens": (),
    "max_tokens_to_sample": (),
    "min_p": (0,),
    "n": (1,),
    "presence_penalty": (0,),
    "prompt": (),
    "repetition_penalty": (1,),
    "response_format": ({"type": "text"},),
    "seed": (),
    "stop": ([],),
}
"""Name -> the values that ask for nothing; null always does."""
