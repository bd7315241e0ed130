"""Cloudflare's dialect as one router: Workers AI under an account, and without one."""

from fastapi import APIRouter

from server.cloudflare.errors import error_response
from server.cloudflare.openai_routes import OpenAIRoutes
from server.cloudflare.reply_shapes import ERROR
from server.cloudflare.run_routes import RunRoutes
from server.error_responses import shaped_errors
from server.jobs.lifespan import closing_jobs
from server.jobs.store import JobStore
from server.services import Services
from server.sse import let_streams_finish_on_shutdown

ACCOUNT = "/client/v4/accounts/{account}/ai"


def cloudflare_router(services: Services) -> APIRouter:
    """All routes of the dialect; whoever includes it guards it with `KeyCheck`."""
    let_streams_finish_on_shutdown()
    store = JobStore()
    router = APIRouter(lifespan=closing_jobs(store))
    router.include_router(_run_router(services, store))
    router.include_router(_openai_router(services))
    return router


def _run_router(services: Services, store: JobStore) -> APIRouter:
    run = RunRoutes(services, store)
    router = APIRouter(route_class=shaped_errors(error_response, services.metrics, ERROR))
    for prefix in (ACCOUNT, "/ai"):
        router.add_api_route(f"{prefix}/run/{{model:path}}", run.run, methods=["POST"])
    return router


def _openai_router(services: Services) -> APIRouter:
    openai = OpenAIRoutes(services)
    router = APIRouter()
    add, prefix = router.add_api_route, f"{ACCOUNT}/v1"
    add(f"{prefix}/chat/completions", openai.create_chat_completion, methods=["POST"])
    add(f"{prefix}/completions", openai.create_completion, methods=["POST"])
    return router
