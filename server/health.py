"""Is the process alive, and should it get work? Open to everybody, so the answers say little."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from engine.interface import Engine, EngineState
from server.lifecycle import Lifecycle


def health_router(engine: Engine, lifecycle: Lifecycle) -> APIRouter:
    router = APIRouter()

    @router.get("/health/live")
    async def live() -> JSONResponse:
        """200 as long as the event loop turns, also while loading and draining."""
        return JSONResponse({"status": "ok"})

    @router.get("/health")
    @router.get("/health/ready")
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
