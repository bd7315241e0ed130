"""Small routes that show what the frame does around any route."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from engine.interface import Engine
from engine.request import FinishReason, GenerationRequest, TokenEvent
from sampling.params import SamplingParams
from server.access_log import request_id_of
from server.app import assemble
from server.disconnect import while_connected
from server.errors import error_body
from server.grammars.compiler import ConstraintCompiler
from server.json_body import read_json_object
from server.metrics import Metrics
from server.security import client_of
from server.services import Services
from server.settings import Settings
from server.sse import EventStream, data_frame, let_streams_finish_on_shutdown
from server.storage.storage import storage_of


class ProbeRoutes:
    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    def router(self) -> APIRouter:
        let_streams_finish_on_shutdown()
        router = APIRouter()
        router.add_api_route("/v1/echo", self.echo, methods=["POST"])
        router.add_api_route("/v1/whoami", self.whoami, methods=["GET"])
        router.add_api_route("/v1/boom", self.boom, methods=["GET"])
        router.add_api_route("/v1/half", self.half, methods=["GET"])
        router.add_api_route("/v1/flood", self.flood, methods=["GET"])
        router.add_api_route("/v1/whole", self.whole, methods=["POST"])
        router.add_api_route("/v1/stream", self.stream, methods=["POST"])
        return router

    async def echo(self, request: Request) -> Response:
        return JSONResponse(await read_json_object(request, self._settings.max_body_bytes))

    async def whoami(self, request: Request) -> Response:
        return JSONResponse({"client": client_of(request)})

    async def boom(self) -> Response:
        raise ValueError("canary-in-an-exception")

    async def half(self) -> Response:
        async def body() -> AsyncGenerator[bytes]:
            yield b"half of it"
            raise ValueError("canary-in-an-exception")

        return StreamingResponse(body())

    async def flood(self) -> Response:
        async def body() -> AsyncGenerator[bytes]:
            while True:
                yield b"x" * 8192
                await asyncio.sleep(0.001)

        return StreamingResponse(body())

    async def whole(self, request: Request) -> Response:
        await read_json_object(request, self._settings.max_body_bytes)
        ids = await while_connected(request.receive, self._token_ids(request))
        return JSONResponse({"ids": ids})

    async def stream(self, request: Request) -> Response:
        await read_json_object(request, self._settings.max_body_bytes)
        events = self._events(request)

        async def frames() -> AsyncGenerator[bytes]:
            async for event in events:
                yield data_frame({"id": event.token_id})
            yield b"data: [DONE]\n\n"

        return EventStream(
            frames(), lambda error: data_frame(error_body(error)), lambda: None, self._settings, {}
        )

    async def _token_ids(self, request: Request) -> list[int]:
        return [event.token_id async for event in self._events(request)]

    async def _events(self, request: Request) -> AsyncGenerator[TokenEvent]:
        generation = self._engine.submit(
            GenerationRequest(
                request_id=request_id_of(request.scope),
                prompt_ids=(1, 2),
                sampling=SamplingParams(max_tokens=1000),
            )
        )
        try:
            async for event in generation:
                if isinstance(event, TokenEvent):
                    yield event
                    if event.finish_reason is FinishReason.STOP:
                        return
        finally:
            generation.cancel()


def probe_app(engine: Engine, settings: Settings) -> FastAPI:
    """The frame around the probe routes; no dialect, so neither tokenizer nor template."""
    metrics = Metrics(CollectorRegistry())
    metrics.watch(engine)
    services = Services(
        engine=engine,
        tokenizer=cast(Any, None),
        encoder=cast(Any, None),
        settings=settings,
        model_names=("probe",),
        metrics=metrics,
        storage=storage_of(settings),
        grammars=ConstraintCompiler(cast(Any, None), settings.grammar_timeout),
    )
    return assemble(services, [ProbeRoutes(engine, settings).router()])
