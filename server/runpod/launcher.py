"""From a job's input to its work: asks the model, and collects what it says as it comes."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from server.asking import ask
from server.errors import describe
from server.generation import Reply
from server.jobs.job import Job, JobState
from server.jobs.work import begin
from server.pricing import Prices
from server.question import Question
from server.reply_meter import ReplyMeter
from server.runpod.batching import Batching
from server.runpod.output import StreamedOutput, WholeOutput
from server.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a job has to do, and how long it may take."""

    question: Question
    num_shown: int
    batching: Batching | None
    execution_seconds: float


class Launcher:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._prices = Prices.of(services.settings)

    async def launch(self, job: Job, assignment: Assignment) -> None:
        """Put the question into the engine's queue; the job goes on by itself from there.

        Raises:
            BadRequest: a prompt does not fit, or a value does not fit this model.
            EngineError: the engine refuses.
        """
        job.queue(repeat=partial(self.launch, job, assignment))
        try:
            reply = await self._ask(job, assignment)
        except Exception as error:
            job.end(JobState.FAILED, describe(error))
            raise
        if job.has_ended:  # cancelled meanwhile
            reply.cancel()
            return
        work = partial(self._collect, job, assignment, reply)
        begin(job, work, reply.cancel, self._services.metrics)

    async def _ask(self, job: Job, assignment: Assignment) -> Reply:
        return await ask(
            self._services,
            assignment.question,
            request_id=f"{job.id}-{job.num_attempts}",
            client=job.owner,
            meter=ReplyMeter(self._services.metrics),
        )

    async def _collect(self, job: Job, assignment: Assignment, reply: Reply) -> None:
        """Raises TimeoutError when the time for working on it is over."""
        output = self._output(assignment, reply)
        async with asyncio.timeout(None) as limit, aclosing(reply.events()) as events:
            async for event in events:
                if limit.when() is None:  # the engine has begun
                    job.started()
                    now = asyncio.get_running_loop().time()
                    limit.reschedule(now + assignment.execution_seconds)
                for part in output.take(event):
                    job.add(part, _num_bytes(part))
        for part in output.rest():
            job.add(part, _num_bytes(part))

    def _output(self, assignment: Assignment, reply: Reply) -> WholeOutput | StreamedOutput:
        num_choices = assignment.question.num_choices
        if assignment.batching is None:
            return WholeOutput(reply, self._prices, num_choices, assignment.num_shown)
        return StreamedOutput(reply, self._prices, num_choices, assignment.batching)


def _num_bytes(output: dict[str, Any]) -> int:
    """Of the text, and about as much again for what holds it."""
    texts = [text for choice in output["choices"] for text in choice["tokens"]]
    return 200 + sum(100 + 2 * len(text) for text in texts)
