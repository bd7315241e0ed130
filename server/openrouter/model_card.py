"""A served model as OpenRouter describes models: what it takes, what it costs, where it runs."""

from typing import Any

from server.openai.supported_parameters import supported_parameters
from server.pricing import Prices
from server.prompt import loaded_info
from server.services import Services
from server.version import PROGRAM


def model_card(name: str, created: int, services: Services) -> dict[str, Any]:
    """Raises EngineUnavailable while the model is loading."""
    context_length = loaded_info(services.engine).context_length
    return {
        "id": name,
        "canonical_slug": name,
        "hugging_face_id": name if "/" in name else None,
        "name": name,
        "created": created,
        "description": f"{name}, served by {PROGRAM}",
        "context_length": context_length,
        "architecture": _architecture(),
        "pricing": _pricing(services),
        "top_provider": {
            "context_length": context_length,
            "max_completion_tokens": context_length - 1,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": supported_parameters(),
        "default_parameters": None,
        "supported_voices": None,
        "links": {"details": f"/api/v1/models/{name}/endpoints"},
    }


def endpoints_card(name: str, created: int, services: Services) -> dict[str, Any]:
    """The one endpoint of a model: this server.

    Raises:
        EngineUnavailable: the model is still loading.
    """
    info = loaded_info(services.engine)
    endpoint = {
        "name": f"{PROGRAM} | {name}",
        "model_id": name,
        "model_name": name,
        "provider_name": PROGRAM,
        "tag": PROGRAM,
        "context_length": info.context_length,
        "max_completion_tokens": info.context_length - 1,
        "max_prompt_tokens": info.context_length - 1,
        "pricing": _pricing(services),
        "quantization": info.dtype,
        "supported_parameters": supported_parameters(),
        "supports_tool_choice": dict.fromkeys(("auto", "none", "required", "function"), True),
        "supports_implicit_caching": False,
        "supports_diarization": False,
        "native_tools": {},
        "service_tier": None,
        "status": 0,
        **dict.fromkeys(("uptime_last_5m", "uptime_last_30m", "uptime_last_1d")),
        **dict.fromkeys(("latency_last_30m", "throughput_last_30m")),
    }
    return {
        "id": name,
        "name": name,
        "created": created,
        "description": f"{name}, served by {PROGRAM}",
        "architecture": _architecture(),
        "endpoints": [endpoint],
    }


def _architecture() -> dict[str, Any]:
    return {
        "modality": "text->text",
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "tokenizer": "Other",
        "instruct_type": None,
    }


def _pricing(services: Services) -> dict[str, str]:
    return {**Prices.of(services.settings).written(), "request": "0", "image": "0"}
