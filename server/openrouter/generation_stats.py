"""GET /generation?id=: what one reply used, cost and took, after its end."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from server.errors import BadRequest, NotFound, shown
from server.generation_log import GenerationRecord
from server.json_shapes import STRING, told
from server.openrouter import reply_shapes
from server.pricing import Prices
from server.route_notes import JSON, LOOKUP_ERRORS, RouteNotes, noted
from server.security import client_of
from server.services import Services
from server.version import PROGRAM


class GenerationStats:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._prices = Prices.of(services.settings)

    @noted(
        RouteNotes(
            query={"id": told({**STRING, "minLength": 1}, "that of the reply")},
            needs=("id",),
            replies={JSON: reply_shapes.GENERATION},
            errors=LOOKUP_ERRORS,
        )
    )
    async def retrieve(self, request: Request) -> JSONResponse:
        generation_id = request.query_params.get("id")
        if not generation_id:
            raise BadRequest("id is required, as a query parameter", "id")
        record = self._services.generations.find(generation_id, client_of(request))
        if record is None:
            raise NotFound(f"Generation {shown(generation_id)} not found", "id")
        return JSONResponse({"data": stats(record, self._prices)})


def stats(record: GenerationRecord, prices: Prices) -> dict[str, Any]:
    """All keys of the reference service; null or 0 where a local model has nothing to tell."""
    usage, origin, cost = record.usage, record.origin, float(prices.cost(record.usage))
    reason = _reason(record)
    return {
        "id": record.id,
        "upstream_id": None,
        "created_at": datetime.fromtimestamp(record.created, UTC).isoformat(),
        "model": record.model,
        "provider_name": PROGRAM,
        "router": None,
        "api_type": "completions",
        "data_region": "global",
        "streamed": record.is_streamed,
        "cancelled": record.is_cancelled,
        "finish_reason": reason,
        "native_finish_reason": reason,
        "latency": _milliseconds(record.seconds),
        "generation_time": _milliseconds(_generation_seconds(record)),
        "moderation_latency": None,
        "tokens_prompt": usage.prompt_tokens,
        "tokens_completion": usage.completion_tokens,
        "native_tokens_prompt": usage.prompt_tokens,
        "native_tokens_completion": usage.completion_tokens,
        "native_tokens_cached": usage.cached_tokens,
        "native_tokens_reasoning": 0,
        "native_tokens_completion_images": None,
        "num_media_prompt": None,
        "num_media_completion": None,
        "num_input_audio_prompt": None,
        "num_search_results": None,
        "num_fetches": None,
        "web_search_engine": None,
        "total_cost": cost,
        "usage": cost,
        "upstream_inference_cost": None,
        "cache_discount": None,
        "is_byok": False,
        "service_tier": None,
        "provider_responses": None,
        "preset_id": None,
        "workspace_id": None,
        "app_id": None,
        "origin": origin.referer or "",
        "http_referer": origin.referer,
        "user_agent": origin.user_agent,
        "external_user": origin.user,
        "session_id": origin.session_id,
    }


def _reason(record: GenerationRecord) -> str | None:
    if record.reason is not None:
        return record.reason.value
    return None if record.is_cancelled else "error"


def _generation_seconds(record: GenerationRecord) -> float:
    """From the first token on; 0 if there was none."""
    first = record.seconds_to_first_token
    return 0.0 if first is None else record.seconds - first


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
