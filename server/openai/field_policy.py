"""The request fields known from OpenAI or a peer that this server refuses: one table, all routes.

They are refused by name, unless their value asks for nothing or the route's request model has them.
What becomes of the fields of the models, the models say themselves (server.field_notes).
"""

from collections.abc import Mapping

from server.errors import UnsupportedParameter

UNSUPPORTED_FIELDS: Mapping[str, tuple[object, ...]] = {
    # OpenAI
    "audio": (),
    "best_of": (1,),  # chat
    "echo": (False,),  # chat
    "function_call": ("none", "auto"),  # completions
    "functions": ([],),  # completions
    "modalities": (["text"],),
    "moderation": (),
    "parallel_tool_calls": (True, False),  # completions
    "prediction": (),
    "prompt_cache_options": (),
    "reasoning_effort": ("none",),
    "store": (False,),
    "suffix": ("",),  # chat
    "tool_choice": ("none", "auto"),  # completions
    "tools": ([],),  # completions
    "verbosity": ("medium",),
    "web_search_options": (),
    # vLLM and SGLang
    "add_generation_prompt": (True,),  # completions
    "allowed_token_ids": (),
    "bad_words": ([],),
    "chat_template": (),
    "chat_template_kwargs": ({},),  # completions
    "continue_final_message": (False,),  # completions
    "custom_logit_processor": (),
    "custom_params": (),
    "detokenize": (True,),
    "documents": ([],),  # completions
    "early_stopping": (False,),
    "guided_decoding_backend": (),
    "guided_whitespace_pattern": (),
    "include_reasoning": (True, False),
    "include_stop_str_in_output": (False,),
    "kv_transfer_params": (),
    "length_penalty": (1.0,),
    "logits_processors": ([],),
    "logprob_token_ids": (),
    "lora_path": (),
    "mm_processor_kwargs": ({},),
    "no_stop_trim": (False,),
    "priority": (0,),
    "prompt_embeds": (),
    "repetition_detection": (),
    "request_id": (),
    "return_hidden_states": (False,),
    "return_prompt_text": (False,),
    "return_prompt_token_ids": (False,),
    "return_token_ids": (False,),
    "return_tokens_as_token_ids": (False,),
    "rid": (),
    "separate_reasoning": (True, False),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "stop_regex": ([], ""),
    "stream_interval": (1,),
    "thinking_token_budget": (),
    "timeout": (),
    "truncate_prompt_tokens": (),
    "truncation_side": (),
    "use_beam_search": (False,),
    "vllm_xargs": ({},),
    # llama.cpp, TGI, mistral.rs and mlx-lm
    "adapter_id": (),
    "adapters": (),
    "adaptive_decay": (),
    "adaptive_target": (),
    "dry_allowed_length": (),
    "dry_base": (),
    "dry_multiplier": (0,),
    "dry_penalty_last_n": (),
    "dry_sequence_breakers": (),
    "dynatemp_exponent": (),
    "dynatemp_range": (0,),
    "id_slot": (-1,),
    "image_data": ([],),
    "lora": ([],),
    "min_keep": (0,),
    "mirostat": (0,),
    "mirostat_eta": (),
    "mirostat_tau": (),
    "n_cache_reuse": (0,),
    "n_discard": (),
    "n_indent": (0,),
    "n_keep": (0,),
    "n_predict": (),
    "n_probs": (0,),
    "post_sampling_probs": (False,),
    "reasoning_budget_tokens": (),
    "reasoning_format": ("none", "auto"),
    "repeat_last_n": (),
    "repeat_penalty": (1.0,),
    "response_fields": ([],),
    "return_progress": (False,),
    "return_tokens": (False,),
    "samplers": (),
    "sse_ping_interval": (),
    "t_max_predict_ms": (0,),
    "thinking_forced_open": (False,),
    "timings_per_token": (False,),
    "top_n_sigma": (-1, 0),
    "truncate_sequence": (False,),
    "typical_p": (1.0,),
    "watermark": (False,),
    "xtc_probability": (0,),
    "xtc_threshold": (),
    # OpenRouter and Workers AI
    "debug": ({}, {"echo_upstream_body": False}),
    "external_reference": (),
    "images": ([],),
    "include": ([],),
    "raw": (False,),
    "reasoning": ({"enabled": False}, {"effort": "none"}),
}
"""Name -> the values that ask for nothing; null always does."""


def refuse_unsupported(
    body: Mapping[str, object], refused: Mapping[str, tuple[object, ...]]
) -> None:
    """Raises UnsupportedParameter for the first field that asks for what a route does not do.

    `refused` has the values of the fields that ask for nothing, for those the route does not read.
    """
    for name, value in body.items():
        if name not in refused or value is None:
            continue
        if not any(_is_same(value, nothing) for nothing in refused[name]):
            raise UnsupportedParameter(name)


def _is_same(value: object, other: object) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and value == other
