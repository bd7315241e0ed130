"""The engine for the API process: checks and sends requests, hands out what the worker reports.

Implements `engine.interface.Engine`. All of it runs on one event loop and nothing in it computes.
"""

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace

from engine.admission import Admission, check_request
from engine.errors import EngineUnavailable, WorkerDied
from engine.generation import WorkerGeneration
from engine.interface import EngineInfo, EngineState, EngineStats
from engine.options import EngineOptions
from engine.process import worker_command
from engine.protocol import Cancel, Closed, Failed, StepDone, Submit, error_of
from engine.request import GenerationRequest
from engine.supervisor import RestartPolicy, Supervisor

UNKNOWN_LOAD_SECONDS = 5.0


class EngineClient:
    """One worker process and the generations in flight on it."""

    def __init__(
        self,
        options: EngineOptions,
        *,
        command: Sequence[str] | None = None,
        policy: RestartPolicy | None = None,
    ) -> None:
        self._options = options
        self._admission = Admission(options)
        self._live: dict[int, WorkerGeneration] = {}
        self._num_submitted = 0
        self._num_late = 0
        self._worker_stats = _idle_stats(options)
        self._supervisor = Supervisor(
            command or worker_command(),
            options,
            policy or RestartPolicy(),
            on_step=self._on_step,
            on_loss=self._on_loss,
            is_busy=lambda: bool(self._live),
        )

    @property
    def state(self) -> EngineState:
        return self._supervisor.state

    @property
    def load_progress(self) -> float:
        return self._supervisor.load_progress

    @property
    def info(self) -> EngineInfo | None:
        return self._supervisor.info

    @property
    def worker_pid(self) -> int | None:
        return self._supervisor.pid

    @property
    def stats(self) -> EngineStats:
        """The newest report; waiting choices include those the worker has not heard of yet."""
        return replace(
            self._worker_stats,
            waiting=sum(generation.num_unstarted for generation in self._live.values()),
            late_messages=self._worker_stats.late_messages + self._num_late,
        )

    async def start(self) -> None:
        """Begin to load; `state` tells when that is done."""
        self._supervisor.start()

    async def stop(self) -> None:
        """End the worker. Generations in flight get WorkerDied."""
        await self._supervisor.stop()

    def submit(self, request: GenerationRequest) -> WorkerGeneration:
        info = self.info
        if self.state is not EngineState.READY or info is None:
            load_seconds = self._supervisor.load_seconds or UNKNOWN_LOAD_SECONDS
            raise EngineUnavailable(f"the engine is {self.state}", math.ceil(load_seconds))
        check_request(request, info)
        self._admission.check_room(request, self._live.values())
        request = _with_seed(request)
        if not self._live:
            self._supervisor.expect_report()
        self._num_submitted += 1
        number = self._num_submitted
        generation = WorkerGeneration(
            request,
            self._options.output_queue_events,
            lambda: self._supervisor.send(Cancel(number)),
        )
        self._live[number] = generation
        self._supervisor.send(Submit(number, request))
        return generation

    def _on_step(self, report: StepDone) -> None:
        self._worker_stats = report.stats
        for output in report.outputs:
            generation = self._live.get(output.generation)
            if generation is None:
                self._num_late += 1
                continue
            match output:
                case Closed():
                    generation.close(None)
                case Failed():
                    generation.close(error_of(output))
                case _:
                    generation.deliver(output.event)
            if generation.is_closed:
                self._forget(output.generation)

    def _forget(self, number: int) -> None:
        submitted_at = self._live.pop(number).submitted_at
        self._admission.note_duration(time.monotonic() - submitted_at)

    def _on_loss(self) -> None:
        """The worker is gone, and everything in it: each generation ends with one error."""
        self._worker_stats = _idle_stats(self._options)
        lost = list(self._live.values())
        self._live.clear()
        for generation in lost:
            generation.close(WorkerDied("the worker process ended while generating"))


def _with_seed(request: GenerationRequest) -> GenerationRequest:
    """A request without a seed gets one here, once, so that a preempted choice repeats itself."""
    if request.sampling.seed is not None:
        return request
    sampling = replace(request.sampling, seed=secrets.randbits(63))
    return replace(request, sampling=sampling)


def _idle_stats(options: EngineOptions) -> EngineStats:
    return EngineStats(
        running=0,
        waiting=0,
        free_slots=options.num_slots,
        total_slots=options.num_slots,
        free_pages=options.num_pages,
        total_pages=options.num_pages,
        preemptions=0,
        steps=0,
        late_messages=0,
    )
