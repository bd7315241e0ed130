"""The routes of the OpenAI dialect whose objects last, and the work that goes on beside them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter

from server.batches.job import Workshop
from server.batches.runner import BatchRunner
from server.openai.batches.lines import LineExecutor
from server.openai.batches.routes import BatchRoutes
from server.openai.files.routes import FileRoutes
from server.openai.responses.background import BackgroundResponses
from server.openai.responses.input_item_routes import InputItemRoutes
from server.openai.responses.routes import ResponseRoutes
from server.services import Services


def stored_router(services: Services) -> APIRouter:
    """Files, batches and responses. Its lifespan runs what is asked of the background."""
    runner, background = _batch_runner(services), BackgroundResponses(services)
    router = APIRouter(lifespan=_lifespan(services, runner, background))
    _add_files_and_batches(router, FileRoutes(services), BatchRoutes(services, runner))
    _add_responses(router, ResponseRoutes(services, background), InputItemRoutes(services))
    return router


def _add_files_and_batches(router: APIRouter, files: FileRoutes, batches: BatchRoutes) -> None:
    add = router.add_api_route
    add("/v1/files", files.upload, methods=["POST"])
    add("/v1/files", files.list_files, methods=["GET"])
    add("/v1/files/{file_id}", files.retrieve, methods=["GET"])
    add("/v1/files/{file_id}", files.delete, methods=["DELETE"])
    add("/v1/files/{file_id}/content", files.content, methods=["GET"])
    add("/v1/batches", batches.create, methods=["POST"])
    add("/v1/batches", batches.list_batches, methods=["GET"])
    add("/v1/batches/{batch_id}", batches.retrieve, methods=["GET"])
    add("/v1/batches/{batch_id}/cancel", batches.cancel, methods=["POST"])


def _add_responses(
    router: APIRouter, responses: ResponseRoutes, input_items: InputItemRoutes
) -> None:
    add = router.add_api_route
    add("/v1/responses", responses.create, methods=["POST"])
    add("/v1/responses/input_tokens", responses.count_input, methods=["POST"])
    add("/v1/responses/{response_id}", responses.retrieve, methods=["GET"])
    add("/v1/responses/{response_id}", responses.delete, methods=["DELETE"])
    add("/v1/responses/{response_id}/cancel", responses.cancel, methods=["POST"])
    add("/v1/responses/{response_id}/input_items", input_items.list_items, methods=["GET"])


def _batch_runner(services: Services) -> BatchRunner:
    settings, storage = services.settings, services.storage
    workshop = Workshop(
        files=storage.files,
        batches=storage.batches,
        execute=LineExecutor(services).execute,
        slots=asyncio.Semaphore(max(1, settings.max_sequences // 2)),
        model_names=services.model_names,
        max_line_bytes=settings.max_body_bytes,
        keep_seconds=storage.keep_seconds,
    )
    return BatchRunner(services.engine, workshop)


def _lifespan(
    services: Services, runner: BatchRunner, background: BackgroundResponses
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[None]:
        storage = services.storage
        works = (background.run, runner.run, storage.sweeper.run) if storage.is_on else ()
        tasks = [asyncio.create_task(work()) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await storage.close()

    return lifespan
