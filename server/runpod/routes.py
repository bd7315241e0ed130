"""RunPod's dialect as one router: jobs of the endpoints, and OpenAI's routes under each of them."""

from fastapi import APIRouter

from server.error_responses import shaped_errors
from server.jobs.lifespan import closing_jobs
from server.jobs.store import JobStore
from server.openai.generation_routes import GenerationRoutes
from server.openai.model_routes import ModelRoutes
from server.runpod.errors import error_response, refused_job
from server.runpod.job_routes import JobRoutes
from server.runpod.launcher import Launcher
from server.runpod.reply_shapes import ERROR
from server.runpod.submit_routes import SubmitRoutes
from server.services import Services
from server.sse import let_streams_finish_on_shutdown

PREFIX = "/v2/{endpoint}"


def runpod_router(services: Services) -> APIRouter:
    """All routes of the dialect; whoever includes it guards it with `KeyCheck`."""
    let_streams_finish_on_shutdown()
    store = JobStore()
    jobs = JobRoutes(services, store)
    submit = SubmitRoutes(services, store, Launcher(services), jobs)
    router = APIRouter(lifespan=closing_jobs(store))
    router.include_router(_submit_router(services, submit))
    router.include_router(_job_router(services, jobs))
    router.include_router(_openai_router(services))
    return router


def _submit_router(services: Services, submit: SubmitRoutes) -> APIRouter:
    router = APIRouter(route_class=shaped_errors(refused_job, services.metrics, ERROR))
    router.add_api_route(f"{PREFIX}/run", submit.run, methods=["POST"])
    router.add_api_route(f"{PREFIX}/runsync", submit.run_sync, methods=["POST"])
    return router


def _job_router(services: Services, jobs: JobRoutes) -> APIRouter:
    router = APIRouter(route_class=shaped_errors(error_response, services.metrics, ERROR))
    add = router.add_api_route
    add(f"{PREFIX}/status/{{job_id}}", jobs.status, methods=["GET"])
    add(f"{PREFIX}/status-sync/{{job_id}}", jobs.status_sync, methods=["GET"])
    add(f"{PREFIX}/stream/{{job_id}}", jobs.stream, methods=["GET"])
    add(f"{PREFIX}/cancel/{{job_id}}", jobs.cancel, methods=["POST"])
    add(f"{PREFIX}/retry/{{job_id}}", jobs.retry, methods=["POST"])
    add(f"{PREFIX}/purge-queue", jobs.purge_queue, methods=["POST"])
    add(f"{PREFIX}/health", jobs.health, methods=["GET"])
    return router


def _openai_router(services: Services) -> APIRouter:
    """As under /v1, errors too: its clients are OpenAI's."""
    generation, models = GenerationRoutes(services), ModelRoutes(services)
    router = APIRouter()
    add, prefix = router.add_api_route, f"{PREFIX}/openai/v1"
    add(f"{prefix}/chat/completions", generation.create_chat_completion, methods=["POST"])
    add(f"{prefix}/completions", generation.create_completion, methods=["POST"])
    add(f"{prefix}/models", models.list_models, methods=["GET"])
    return router
