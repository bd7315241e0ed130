"""The OpenRouter dialect as one router: under its own path, and its extras under /v1 too."""

from fastapi import APIRouter

from server.error_responses import shaped_errors
from server.openrouter.account_routes import AccountRoutes
from server.openrouter.errors import error_response
from server.openrouter.generation_routes import GenerationRoutes
from server.openrouter.generation_stats import GenerationStats
from server.openrouter.model_routes import ModelRoutes
from server.openrouter.reply_shapes import ERROR
from server.services import Services
from server.sse import let_streams_finish_on_shutdown


def openrouter_router(services: Services) -> APIRouter:
    """All routes of the dialect; whoever includes it guards it with `KeyCheck`."""
    let_streams_finish_on_shutdown()
    generation = GenerationRoutes(services)
    models = ModelRoutes(services)
    router = APIRouter(route_class=shaped_errors(error_response, services.metrics, ERROR))
    for path, create in (
        ("/api/v1/chat/completions", generation.create_chat_completion),
        ("/api/v1/completions", generation.create_completion),
        ("/api/v1/responses", generation.create_response),
    ):
        router.add_api_route(path, create, methods=["POST"])
    for path, read in (
        ("/api/v1/models", models.list_models),
        ("/api/v1/models/count", models.count_models),
        ("/api/v1/models/user", models.list_models),
        ("/api/v1/models/{model_id:path}/endpoints", models.list_endpoints),
        ("/api/v1/model/{model_id:path}", models.retrieve_model),
    ):
        router.add_api_route(path, read, methods=["GET"])
    account, stats = AccountRoutes(services), GenerationStats(services)
    for prefix in ("/api/v1", "/v1"):
        router.add_api_route(f"{prefix}/key", account.key, methods=["GET"])
        router.add_api_route(f"{prefix}/auth/key", account.key, methods=["GET"])
        router.add_api_route(f"{prefix}/credits", account.credits, methods=["GET"])
        router.add_api_route(f"{prefix}/generation", stats.retrieve, methods=["GET"])
    return router
