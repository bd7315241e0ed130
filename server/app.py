"""Puts the parts together: routes behind the key check, the layers around them, start and stop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from fastapi import APIRouter, Depends, FastAPI
from prometheus_client import CollectorRegistry

from engine.interface import Engine, EngineState
from kernels.errors import GraniteError
from model_loader.chat_template import ChatTemplate
from model_loader.tokenizer import Tokenizer
from server.access_log import AccessLog
from server.anthropic.routes import anthropic_router
from server.cloudflare.routes import cloudflare_router
from server.cors import Cors
from server.error_responses import add_error_handlers
from server.gate import Gate
from server.grammars.compiler import ConstraintCompiler
from server.health import health_router
from server.lifecycle import Lifecycle
from server.metrics import Metrics, metrics_router
from server.openai.routes import openai_router
from server.openai.stored_router import stored_router
from server.openapi_routes import openapi_router
from server.openrouter.routes import openrouter_router
from server.prompt import PromptEncoder
from server.runpod.routes import runpod_router
from server.security import HostCheck, KeyCheck
from server.services import Services
from server.settings import Settings
from server.storage.storage import storage_of

_log = structlog.stdlib.get_logger("granite.server")


def create_app(
    engine: Engine,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    settings: Settings,
    model_names: Sequence[str],
) -> FastAPI:
    """The whole HTTP application. It starts the engine, unless that is READY, and stops it."""
    metrics = Metrics(CollectorRegistry())
    metrics.watch(engine)
    services = Services(
        engine=engine,
        tokenizer=tokenizer,
        encoder=PromptEncoder(tokenizer, template),
        settings=settings,
        model_names=tuple(model_names),
        metrics=metrics,
        storage=storage_of(settings),
        grammars=ConstraintCompiler(tokenizer, settings.grammar_timeout),
    )
    return assemble(services, dialect_routers(services))


def dialect_routers(services: Services) -> list[APIRouter]:
    """Every dialect, one router each."""
    return [
        anthropic_router(services),
        openai_router(services),
        stored_router(services),
        openrouter_router(services),
        cloudflare_router(services),
        runpod_router(services),
    ]


def assemble(services: Services, routers: Iterable[APIRouter]) -> FastAPI:
    """An application of these routers, each behind the API key, and the frame's own routes."""
    settings, engine, metrics = services.settings, services.engine, services.metrics
    lifecycle = Lifecycle()
    app = FastAPI(
        lifespan=_lifespan(services, lifecycle),
        redirect_slashes=False,
        openapi_url=None,
    )
    app.state.services = services
    app.state.lifecycle = lifecycle
    keys = KeyCheck(key.get_secret_value() for key in settings.api_key)
    app.include_router(health_router(engine, lifecycle))
    for router in (*routers, metrics_router(metrics)):
        app.include_router(router, dependencies=[Depends(keys)])
    openapi = openapi_router(app, needs_key=bool(settings.api_key))
    app.include_router(openapi, dependencies=[Depends(keys)])
    add_error_handlers(app, metrics)
    # The last one added is the outermost.
    app.add_middleware(Cors, origins=settings.cors_origin)
    app.add_middleware(Gate, hosts=HostCheck(settings), lifecycle=lifecycle, metrics=metrics)
    app.add_middleware(AccessLog, metrics=metrics)
    return app


def _lifespan(
    services: Services, lifecycle: Lifecycle
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        """Load in the background, so that health is answered meanwhile."""
        loading = asyncio.create_task(_start(services.engine, lifecycle))
        try:
            yield
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
            await services.grammars.close()
            await services.engine.stop()

    return lifespan


async def _start(engine: Engine, lifecycle: Lifecycle) -> None:
    if engine.state is EngineState.READY:
        return
    try:
        await engine.start()
    except Exception as error:
        lifecycle.start_failure = error
        _log.critical("the model could not be started", reason=_reason(error))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, GraniteError) else type(error).__name__
