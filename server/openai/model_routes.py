"""GET /v1/models and GET /v1/models/{id}: the names that requests may use, and their limits."""

import time
from typing import Any

from starlette.responses import JSONResponse

from server.errors import ModelNotFound
from server.openai.reply_shapes import MODEL, MODELS
from server.openai.supported_parameters import supported_parameters
from server.pricing import Prices
from server.route_notes import JSON, RouteNotes, noted
from server.services import Services
from server.version import PROGRAM


class ModelRoutes:
    """`created` of every model is the start of this server, in seconds since 1970."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._started = int(time.time())

    @noted(RouteNotes(replies={JSON: MODELS}))
    async def list_models(self) -> JSONResponse:
        data = [self._card(name) for name in self._services.model_names]
        return JSONResponse({"object": "list", "data": data})

    @noted(RouteNotes(replies={JSON: MODEL}, errors=(ModelNotFound,)))
    async def retrieve_model(self, model_id: str) -> JSONResponse:
        if model_id not in self._services.model_names:
            raise ModelNotFound(model_id)
        return JSONResponse(self._card(model_id))

    def _card(self, name: str) -> dict[str, Any]:
        """OpenAI's `Model`, and what peers add to it; prices are dollars per token."""
        services = self._services
        info = services.engine.info
        context_length = None if info is None else info.context_length
        return {
            "id": name,
            "object": "model",
            "created": self._started,
            "owned_by": PROGRAM,
            "max_model_len": context_length,
            "context_length": context_length,
            "pricing": Prices.of(services.settings).written(),
            "supported_parameters": supported_parameters(),
        }
