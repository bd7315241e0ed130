"""GET /v1/models and GET /v1/models/{id} as Anthropic's clients read them."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from server.errors import BadRequest, ModelNotFound
from server.services import Services

DEFAULT_LIMIT, MAX_LIMIT = 20, 1000


class ModelRoutes:
    """`created_at` of every model is the start of this server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def list_models(self, request: Request) -> JSONResponse:
        """Raises BadRequest for a page that cannot be."""
        names, has_more = _page(self._services.model_names, request)
        return JSONResponse(
            {
                "data": [self._card(name) for name in names],
                "first_id": names[0] if names else None,
                "last_id": names[-1] if names else None,
                "has_more": has_more,
            }
        )

    async def retrieve_model(self, model_id: str) -> JSONResponse:
        if model_id not in self._services.model_names:
            raise ModelNotFound(model_id)
        return JSONResponse(self._card(model_id))

    def _card(self, name: str) -> dict[str, Any]:
        """Anthropic's `ModelInfo`; how long prompts may be is known once the model is loaded."""
        info = self._services.engine.info
        most = None if info is None else info.context_length - 1
        return {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": self._started,
            "lifecycle": "active",
            "deprecated_at": None,
            "retires_at": None,
            "line": None,
            "capabilities": None,
            "max_input_tokens": most,
            "max_tokens": most,
        }


def _page(names: tuple[str, ...], request: Request) -> tuple[tuple[str, ...], bool]:
    """The names that were asked for, and whether there are more of them in that direction."""
    parameters = request.query_params
    given = parameters.get("limit", str(DEFAULT_LIMIT))
    if not (given.isascii() and given.isdecimal() and 0 < int(given[:5]) <= MAX_LIMIT):
        raise BadRequest(f"limit must be between 1 and {MAX_LIMIT}", "limit")
    limit, before, after = int(given), parameters.get("before_id"), parameters.get("after_id")
    if before is not None:
        rest = names[: _position(names, before, "before_id")]
        return rest[-limit:], len(rest) > limit
    rest = names if after is None else names[_position(names, after, "after_id") + 1 :]
    return rest[:limit], len(rest) > limit


def _position(names: tuple[str, ...], name: str, field: str) -> int:
    if name not in names:
        raise BadRequest(f"{field} is not the id of a model", field)
    return names.index(name)
