"""Does the requests of a batch beside other traffic, and tells how far it is."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from engine.errors import EngineUnavailable, QueueFull
from kernels.errors import GraniteError
from server.cloudflare.batch_request import Item
from server.cloudflare.errors import error_fields
from server.cloudflare.generating import Outcome, Task, whole_result
from server.cloudflare.generation_fields import BATCH_MAX_TOKENS
from server.cloudflare.result import usage_object
from server.error_responses import failure
from server.events import Usage
from server.jobs.job import Job, JobState
from server.jobs.work import begin
from server.reply_meter import ReplyMeter
from server.services import Services

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0


class BatchDoer:
    """All batches share half of the places of the model, so that others find some free."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._slots = asyncio.Semaphore(max(1, services.settings.max_sequences // 2))

    def begin(self, job: Job, items: Sequence[Item], model: str) -> None:
        job.queue()
        begin(job, partial(self._do_all, job, items, model), _nothing, self._services.metrics)

    async def responses(self, items: Sequence[Item], model: str, client: str) -> dict[str, Any]:
        """The same at once, for a caller who waits."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._do(index, item, model, client))
                for index, item in enumerate(items)
            ]
        return batch_result([task.result() for task in tasks])

    async def _do_all(self, job: Job, items: Sequence[Item], model: str) -> None:
        async with asyncio.TaskGroup() as group:
            for index, item in enumerate(items):
                group.create_task(self._add(job, index, item, model))

    async def _add(self, job: Job, index: int, item: Item, model: str) -> None:
        response = await self._do(index, item, model, job.owner, job)
        job.add(response, 1000 + 2 * len(str(response["result"])))

    async def _do(
        self, index: int, item: Item, model: str, client: str, job: Job | None = None
    ) -> dict[str, Any]:
        told: dict[str, Any] = {"id": index, "external_reference": item.external_reference}
        task = Task(
            fields=item,
            model=model,
            client=client,
            default_tokens=BATCH_MAX_TOKENS,
            is_background=job is not None,
        )
        used: list[Usage] = []
        async with self._slots:
            if job is not None:
                job.started()
            try:
                outcome = await self._result(task, used.append)
                ending = {"result": outcome.result, "success": True}
            except GraniteError as error:
                reply = failure(error, self._services.metrics)
                ending = {"result": None, "success": False, "errors": [error_fields(reply)]}
        return {**told, **ending, "usage": usage_object(sum(used, Usage(0, 0)))}

    async def _result(self, task: Task, note_usage: Callable[[Usage], None]) -> Outcome:
        """In the background, ask again while the model is busy: a batch is done some time.

        What was used is noted however it ends.
        """
        metrics, pause = self._services.metrics, FIRST_PAUSE_SECONDS
        while True:
            try:
                meter = ReplyMeter(metrics, is_waited_for=not task.is_background)
                meter.on_end(note_usage)
                return await whole_result(self._services, task, meter)
            except (QueueFull, EngineUnavailable):
                if not task.is_background:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def batch_result(responses: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The responses in the order of their requests, and what they used together."""
    ordered = sorted(responses, key=lambda response: int(response["id"]))
    counts = [response["usage"] for response in ordered]
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    shown = [{k: v for k, v in response.items() if k != "usage"} for response in ordered]
    return {
        "responses": shown,
        "usage": {name: sum(count[name] for count in counts) for name in names},
    }


def polled(job: Job, model: str) -> dict[str, Any]:
    """Where the batch is, or its result."""
    if job.state is JobState.COMPLETED:
        return batch_result(job.outputs)
    status = "failed" if job.has_ended else job.state.value
    return {"status": status, "request_id": job.id, "model": model}


def _nothing() -> None:
    """Each request of a batch gives back what it holds."""
