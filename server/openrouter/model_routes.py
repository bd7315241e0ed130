"""GET /models, /models/count, /models/user, /model/{id} and /models/{id}/endpoints."""

import time

from starlette.responses import JSONResponse

from server.errors import NotFound, shown
from server.openrouter import reply_shapes
from server.openrouter.model_card import endpoints_card, model_card
from server.route_notes import JSON, LOADING_ERRORS, LOOKUP_ERRORS, RouteNotes, noted
from server.services import Services

_ERRORS = (*LOOKUP_ERRORS, *LOADING_ERRORS)


class ModelRoutes:
    """`created` of every model is the start of this server, in seconds since 1970."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._started = int(time.time())

    @noted(RouteNotes(replies={JSON: reply_shapes.MODELS}, errors=LOADING_ERRORS))
    async def list_models(self) -> JSONResponse:
        """All at once: there are few."""
        names = self._services.model_names
        cards = [model_card(name, self._started, self._services) for name in names]
        return JSONResponse({"data": cards, "links": {"next": None}, "total_count": len(cards)})

    @noted(RouteNotes(replies={JSON: reply_shapes.COUNT}, errors=()))
    async def count_models(self) -> JSONResponse:
        return JSONResponse({"data": {"count": len(self._services.model_names)}})

    @noted(RouteNotes(replies={JSON: reply_shapes.MODEL}, errors=_ERRORS))
    async def retrieve_model(self, model_id: str) -> JSONResponse:
        self._check(model_id)
        return JSONResponse({"data": model_card(model_id, self._started, self._services)})

    @noted(RouteNotes(replies={JSON: reply_shapes.ENDPOINTS}, errors=_ERRORS))
    async def list_endpoints(self, model_id: str) -> JSONResponse:
        self._check(model_id)
        return JSONResponse({"data": endpoints_card(model_id, self._started, self._services)})

    def _check(self, model_id: str) -> None:
        if model_id not in self._services.model_names:
            raise NotFound(f"Model {shown(model_id)} not found")
