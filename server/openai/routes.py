"""The OpenAI dialect as one router."""

from fastapi import APIRouter

from server.openai.generation_routes import GenerationRoutes
from server.openai.model_routes import ModelRoutes
from server.openai.token_routes import TokenRoutes
from server.services import Services
from server.sse import let_streams_finish_on_shutdown


def openai_router(services: Services) -> APIRouter:
    """All routes of the dialect; whoever includes it guards it with `KeyCheck`."""
    let_streams_finish_on_shutdown()
    generation = GenerationRoutes(services)
    models = ModelRoutes(services)
    tokens = TokenRoutes(services)
    router = APIRouter()
    router.add_api_route(
        "/v1/chat/completions", generation.create_chat_completion, methods=["POST"]
    )
    router.add_api_route("/v1/completions", generation.create_completion, methods=["POST"])
    router.add_api_route("/v1/models", models.list_models, methods=["GET"])
    router.add_api_route("/v1/models/{model_id:path}", models.retrieve_model, methods=["GET"])
    router.add_api_route("/tokenize", tokens.tokenize, methods=["POST"])
    router.add_api_route("/apply-template", tokens.apply_template, methods=["POST"])
    router.add_api_route("/detokenize", tokens.detokenize, methods=["POST"])
    return router
