"""The engine's one loop: take commands, plan, compute, commit, report. Knows no model."""

import time

from engine.channel import Channel
from engine.errors import EngineError, GrammarFailed
from engine.framing import ProtocolError
from engine.grammars.interface import Grammars
from engine.grammars.queue import GrammarQueue
from engine.interface import EngineStats
from engine.outputs import Output
from engine.protocol import (
    Cancel,
    Closed,
    Command,
    Ended,
    Progress,
    Scores,
    StepDone,
    Submit,
    Token,
    Word,
    failed,
)
from engine.request import (
    ChoiceEnded,
    GenerationRequest,
    PrefillProgress,
    PromptLogprobs,
    TokenEvent,
)
from engine.scheduler import Scheduler
from engine.step import StepRunner

GRAMMAR_POLL_SECONDS = 0.01
"""How long commands may go unread while there is nothing to do but to wait for a grammar."""


class EngineLoop:
    """One report per step. Commands for unknown generations are late: counted and dropped."""

    def __init__(
        self,
        channel: Channel,
        scheduler: Scheduler,
        runner: StepRunner,
        grammars: Grammars,
    ) -> None:
        self._channel = channel
        self._scheduler = scheduler
        self._runner = runner
        self._grammars = grammars
        self._grammar_queue = GrammarQueue(grammars)
        self._words: list[Word] = []
        self._num_late = 0
        self._step_seconds = 0.0
        self._mask_seconds = 0.0
        self._counted_until = 0.0

    def run(self) -> None:
        """Work until the other side goes away, which raises ChannelClosed."""
        while True:
            if self._scheduler.has_work:
                commands = self._channel.receive(wait=False)
            elif self._grammar_queue:
                self._grammar_queue.wait(GRAMMAR_POLL_SECONDS)
                commands = self._channel.receive(wait=False)
            else:
                self._scheduler.check_integrity()
                commands = self._channel.receive(wait=True)
                self._counted_until = time.perf_counter()
            self._obey(commands)
            self._schedule_compiled()
            self._step()

    def _step(self) -> None:
        self._follow_grammars()
        plan = self._scheduler.next(time.monotonic())
        if plan.chunks:
            results = self._runner.run(plan)
            self._scheduler.commit(plan, results)
            self._follow_grammars()
        elif self._scheduler.has_work:
            self._wait_for_grammars()
        self._words += map(_message, self._scheduler.take_outputs())
        words, self._words = self._words, []
        now = time.perf_counter()
        self._step_seconds += now - self._counted_until
        self._counted_until = now
        self._channel.send(StepDone(words, self._stats()))

    def _follow_grammars(self) -> None:
        """Several times, as what follows a forced token may be forced as well."""
        started = time.perf_counter()
        self._grammars.settle()
        while self._scheduler.extend():
            self._grammars.settle()
        self._mask_seconds += time.perf_counter() - started

    def _wait_for_grammars(self) -> None:
        """While there is nothing to compute."""
        started = time.perf_counter()
        self._grammars.wait(GRAMMAR_POLL_SECONDS)
        self._mask_seconds += time.perf_counter() - started

    def _obey(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Submit(generation, GenerationRequest(grammar=str(source)) as request):
                    self._grammar_queue.add(generation, request, source, time.monotonic())
                    known = True
                case Submit(generation, request):
                    known = self._scheduler.submit(generation, request, time.monotonic())
                case Cancel(generation):
                    known = self._cancel(generation)
                case _:
                    raise ProtocolError(f"{type(command).__name__} while running")
            self._num_late += not known

    def _cancel(self, generation: int) -> bool:
        if not self._grammar_queue.cancel(generation):
            return self._scheduler.cancel(generation)
        self._words.append(Closed(generation))
        return True

    def _schedule_compiled(self) -> None:
        for generation, request, submitted_at, grammar in self._grammar_queue.take_ready():
            if isinstance(grammar, GrammarFailed):
                self._words.append(failed(generation, grammar))
            else:
                known = self._scheduler.submit(generation, request, submitted_at, grammar)
                self._num_late += not known

    def _stats(self) -> EngineStats:
        scheduler, memory = self._scheduler, self._scheduler.memory
        return EngineStats(
            running=len(scheduler.running),
            waiting=len(scheduler.waiting),
            free_slots=memory.slots.num_free,
            total_slots=memory.slots.total,
            free_pages=memory.pages.num_free,
            total_pages=memory.pages.total,
            preemptions=scheduler.num_preemptions,
            steps=scheduler.num_steps,
            late_messages=self._num_late,
            forward_seconds=self._runner.forward_seconds,
            sampling_seconds=self._runner.sampling_seconds,
            mask_seconds=self._mask_seconds,
            grammar_seconds=self._grammars.processor_seconds,
            step_seconds=self._step_seconds,
        )


def _message(output: Output) -> Word:
    match output.event:
        case TokenEvent():
            return Token(output.generation, output.event)
        case PrefillProgress():
            return Progress(output.generation, output.event)
        case PromptLogprobs():
            return Scores(output.generation, output.event)
        case ChoiceEnded():
            return Ended(output.generation, output.event)
        case EngineError():
            return failed(output.generation, output.event)
        case _:
            return Closed(output.generation)
