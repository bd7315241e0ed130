"""Anthropic's dialect as one router."""

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from server.anthropic.errors import error_response, status_of
from server.anthropic.message_routes import MessageRoutes
from server.anthropic.model_routes import ModelRoutes
from server.anthropic.reply_shapes import ERROR
from server.error_responses import ErrorNotes, errors_shaped_for_request
from server.services import Services
from server.sse import let_streams_finish_on_shutdown

VERSION_HEADER = "anthropic-version"


class VersionedRoute(APIRoute):
    """It is there only for who says which version of Anthropic's API is meant."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if VERSION_HEADER not in Headers(scope=scope):
            return Match.NONE, {}
        return super().matches(scope)


def anthropic_router(services: Services) -> APIRouter:
    """All routes of the dialect; whoever includes it guards it with `KeyCheck`.

    To be included before OpenAI's, with which it shares the paths of models.
    """
    let_streams_finish_on_shutdown()
    messages, models = MessageRoutes(services), ModelRoutes(services)
    shaped = errors_shaped_for_request(
        error_response, services.metrics, ErrorNotes(ERROR, status_of)
    )
    router = APIRouter(route_class=shaped)
    add = router.add_api_route
    for prefix in ("/v1", "/api/v1"):  # the second is OpenRouter's
        add(f"{prefix}/messages", messages.create, methods=["POST"])
        add(f"{prefix}/messages/count_tokens", messages.count_tokens, methods=["POST"])
    path = "/v1/messages/batches"
    for each, methods in (
        (path, ["GET", "POST"]),
        (f"{path}/{{rest:path}}", ["GET", "POST", "DELETE"]),
    ):
        add(each, messages.refuse_batches, methods=methods, include_in_schema=False)
    versioned = APIRouter(
        route_class=type("ShapedVersionedRoute", (VersionedRoute, shaped), {}),
        include_in_schema=False,  # their paths are OpenAI's
    )
    versioned.add_api_route("/v1/models", models.list_models, methods=["GET"])
    versioned.add_api_route("/v1/models/{model_id:path}", models.retrieve_model, methods=["GET"])
    router.include_router(versioned)
    return router
