"""GET /openapi.json: the document, made when somebody first asks, beside the event loop."""

import asyncio
import json

from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from server.json_shapes import OBJECT
from server.openapi_document import openapi_document
from server.route_notes import JSON, RouteNotes, noted


def openapi_router(app: FastAPI, *, needs_key: bool) -> APIRouter:
    router = APIRouter()
    lock = asyncio.Lock()
    written: list[bytes] = []

    @router.get("/openapi.json")
    @noted(RouteNotes(replies={JSON: OBJECT}))
    async def openapi() -> Response:
        """This document."""
        async with lock:
            if not written:
                document = await asyncio.to_thread(openapi_document, app, needs_key=needs_key)
                written.append(json.dumps(document).encode())
        return Response(written[0], media_type=JSON)

    return router
