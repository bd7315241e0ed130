"""Is the process alive, and should it get work? Open to everybody, so the answers say little."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from engine.interface import Engine, EngineState
from server.json_shapes import STRING, always, record
from server.lifecycle import Lifecycle
from server.route_notes import JSON, RouteNotes, noted

_READINESS = record("Readiness", status=STRING)


def health_router(engine: Engine, lifecycle: Lifecycle) -> APIRouter:
    router = APIRouter()

    @router.get("/health/live")
    @noted(RouteNotes(replies={JSON: record(status=always("ok"))}))
    async def live() -> JSONResponse:
        """200 as long as the event loop turns, also while loading and draining."""
        return JSONResponse({"status": "ok"})

    @router.get("/health")
    @router.get("/health/ready")
    @noted(RouteNotes(replies={JSON: _READINESS}, others={503: _READINESS}))
    async def ready() -> JSONResponse:
        """200 if a request sent now would be served; else 503 and why not."""
        body = readiness(engine, lifecycle)
        if body["status"] == EngineState.READY:
            return JSONResponse(body)
        return JSONResponse(body, status_code=503, headers={"retry-after": "5"})

    return router


def readiness(engine: Engine, lifecycle: Lifecycle) -> dict[str, Any]:
    if lifecycle.is_draining:
        return {"status": "draining"}
    if engine.state in (EngineState.LOADING, EngineState.RESTARTING):
        return {"status": engine.state, "progress": round(engine.load_progress, 2)}
    return {"status": engine.state}
