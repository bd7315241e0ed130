"""What requests may ask of the model, in the names that OpenRouter has for it."""

from server.openai.chat_request import ChatRequest

_NAMES = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "top_a",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "max_tokens",
    "max_completion_tokens",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "seed",
    "response_format",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
)


def supported_parameters() -> list[str]:
    """Those that chat requests have as fields."""
    supported = [name for name in _NAMES if name in ChatRequest.model_fields]
    if "response_format" in supported:
        supported.append("structured_outputs")
    return supported
