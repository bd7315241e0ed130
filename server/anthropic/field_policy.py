"""What becomes of the fields of a request that have no effect here, or that cannot be met."""

from collections.abc import Mapping

HARMLESS_FIELDS = frozenset(
    {
        "cache_control",
        "diagnostics",  # about a prompt cache: there is never anything to report
        "service_tier",
        "thinking",  # how much a model may think; this one does not
    }
)
"""Checked, then without effect."""

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
