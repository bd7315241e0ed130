"""A stand-in for the model worker: it plays scripted token ids, with delays and failures."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from engine.errors import EngineUnavailable
from engine.interface import EngineInfo, EngineState, EngineStats
from engine.request import (
    ChoiceEnded,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    PrefillProgress,
    PromptLogprobs,
    ScoredToken,
    TokenEvent,
    TokenLogprob,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What one request gets, each choice the same.

    `token_ids` is exactly what is delivered, so it includes the end-of-turn id if there is one;
    the request's `max_tokens` cuts it short with LENGTH. `delay` seconds pass before each token,
    `prefill_delay` before the first. `error` is raised after the ids in place of a normal end
    (the last id then carries no finish reason). Before the token number `pause_at` there is no end
    of waiting until somebody cancels.
    """

    token_ids: tuple[int, ...] = (1, 2, 3)
    finish_reason: FinishReason = FinishReason.STOP
    delay: float = 0.0
    prefill_delay: float = 0.0
    pause_at: int | None = None
    error: Exception | None = None
    logprob: float | None = None
    top_logprobs: tuple[TokenLogprob, ...] = ()


class FakeGeneration:
    """Plays a script for one request, which is active until it ends or is cancelled."""

    def __init__(self, engine: "FakeEngine", request: GenerationRequest, script: Script) -> None:
        self._engine = engine
        self._request = request
        self._script = script
        self._cancelled = asyncio.Event()
        self._stopped = False

    def cancel(self) -> None:
        if self._request.request_id in self._engine.active:
            self._engine.active.remove(self._request.request_id)
            self._engine.cancelled.append(self._request.request_id)
        self._cancelled.set()

    def stop(self) -> None:
        """End it the way a stopping engine does: with an error for whoever iterates."""
        self._stopped = True
        self._cancelled.set()

    async def __aiter__(self) -> AsyncIterator[GenerationEvent]:
        prompt_length = len(self._request.prompt_ids)
        if await self._pause(self._script.prefill_delay):
            return
        for choice in range(self._request.num_choices):
            yield PrefillProgress(choice, prompt_length, prompt_length)
            for scores in self._prompt_scores(choice):
                yield scores
            if self._request.sampling.max_tokens == 0:
                yield ChoiceEnded(choice, FinishReason.LENGTH)
        token_ids = self._script.token_ids[: self._request.sampling.max_tokens]
        for position, token_id in enumerate(token_ids):
            if position == self._script.pause_at:
                self._engine.paused.add(self._request.request_id)
                await self._cancelled.wait()
            if await self._pause(self._script.delay):
                return
            finish_reason = self._finish_reason(position, len(token_ids))
            for choice in range(self._request.num_choices):
                yield TokenEvent(
                    choice=choice,
                    token_id=token_id,
                    logprob=self._logprob(),
                    top_logprobs=self._script.top_logprobs,
                    finish_reason=finish_reason,
                )
        self._engine.active.discard(self._request.request_id)
        if self._script.error is not None:
            raise self._script.error

    def _logprob(self) -> float | None:
        """The script's, but never none where the request asks for log-probabilities."""
        is_asked = self._request.sampling.logprobs is not None
        return -1.0 if is_asked and self._script.logprob is None else self._script.logprob

    def _prompt_scores(self, choice: int) -> list[PromptLogprobs]:
        """In two pieces: the token at position 7 has log-probability -0.7 and rank 7."""
        if self._request.prompt_logprobs is None:
            return []
        top = self._script.top_logprobs[: self._request.prompt_logprobs]
        scores = [
            ScoredToken(token_id, -position / 10, position, top)
            for position, token_id in enumerate(self._request.prompt_ids)
        ]
        pieces = [(1, scores[1:3]), (3, scores[3:])]
        return [PromptLogprobs(choice, start, tuple(piece)) for start, piece in pieces if piece]

    async def _pause(self, seconds: float) -> bool:
        """Sleep, but wake at once on cancel; True if cancelled."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._cancelled.wait(), seconds)
        if self._stopped:
            raise EngineUnavailable("the engine is stopping")
        return self._cancelled.is_set()

    def _finish_reason(self, position: int, length: int) -> FinishReason | None:
        if position + 1 < length or self._script.error is not None:
            return None
        is_cut = length < len(self._script.token_ids)
        return FinishReason.LENGTH if is_cut else self._script.finish_reason


class FakeEngine:
    """An `engine.interface.Engine` without a model. Records every request it was given.

    `script` is one Script for all requests, or a function of the request. `submit_error` is
    raised by `submit`. `load_seconds` is how long `start` takes; None means READY from the start.
    """

    def __init__(
        self,
        script: Script | Callable[[GenerationRequest], Script] | None = None,
        *,
        submit_error: Exception | None = None,
        load_seconds: float | None = None,
        vocab_size: int = 512,
        context_length: int = 4096,
        num_slots: int = 4,
    ) -> None:
        self.script = script or Script()
        self.submit_error = submit_error
        self.state = EngineState.READY if load_seconds is None else EngineState.LOADING
        self.load_progress = 1.0 if load_seconds is None else 0.0
        self.requests: list[GenerationRequest] = []
        self.active: set[str] = set()
        self.cancelled: list[str] = []
        self.paused: set[str] = set()
        self._generations: list[FakeGeneration] = []
        self._load_seconds = load_seconds
        self._info = EngineInfo(
            dtype="fp32",
            device="cpu",
            num_parameters=1000,
            weight_bytes=4000,
            state_bytes=1000,
            context_length=context_length,
            vocab_size=vocab_size,
            num_slots=num_slots,
        )

    @property
    def info(self) -> EngineInfo | None:
        return None if self.state is EngineState.LOADING else self._info

    @property
    def stats(self) -> EngineStats:
        return EngineStats(
            running=len(self.active),
            waiting=0,
            free_slots=self._info.num_slots - len(self.active),
            total_slots=self._info.num_slots,
            free_pages=64,
            total_pages=64,
            preemptions=0,
            steps=0,
            late_messages=0,
        )

    def submit(self, request: GenerationRequest) -> FakeGeneration:
        if self.submit_error is not None:
            raise self.submit_error
        self.requests.append(request)
        self.active.add(request.request_id)
        script = self.script(request) if callable(self.script) else self.script
        generation = FakeGeneration(self, request, script)
        self._generations.append(generation)
        return generation

    async def start(self) -> None:
        if self._load_seconds is not None:
            await asyncio.sleep(self._load_seconds)
        self.state = EngineState.READY
        self.load_progress = 1.0

    async def stop(self) -> None:
        self.state = EngineState.STOPPED
        for generation in self._generations:
            generation.stop()
