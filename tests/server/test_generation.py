"""The neutral events of a reply, from hand-written engine events."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from engine.errors import EngineError, NumericError, QueueFull, WorkerDied
from engine.request import (
    ChoiceEnded,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    PrefillProgress,
    PromptLogprobs,
    ScoredToken,
    TokenEvent,
)
from sampling.params import SamplingParams
from server.events import ChoiceFinished, EndReason, Event, Progress, PromptScored, TextDelta, Usage
from server.generation import Reply, submit
from server.metrics import Metrics
from server.reply_meter import ReplyMeter
from tests.fakes import FakeEngine, FakeGeneration, Script


class EngineForTwo(FakeEngine):
    def submit(self, request: GenerationRequest) -> FakeGeneration:
        if len(self.requests) == 2:
            raise QueueFull("full")
        return super().submit(request)


class Letters:
    """A decoder of one letter a token."""

    def feed(self, token_id: int) -> str:
        return chr(token_id)

    def flush(self) -> str:
        return ""


class Played:
    """A generation that gives these events, then the error if there is one, then nothing."""

    def __init__(self, events: Sequence[GenerationEvent], error: Exception | None = None) -> None:
        self._events = events
        self._error = error
        self.num_taken = 0
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    async def __aiter__(self) -> AsyncIterator[GenerationEvent]:
        for event in self._events:
            await asyncio.sleep(0)
            self.num_taken += 1
            yield event
        if self._error is not None:
            raise self._error


def token(letter: str, choice: int = 0, end: FinishReason | None = None) -> TokenEvent:
    return TokenEvent(choice=choice, token_id=ord(letter), finish_reason=end)


def request(num_choices: int = 1, prompt_length: int = 3) -> GenerationRequest:
    return GenerationRequest(
        request_id="r",
        prompt_ids=(1,) * prompt_length,
        sampling=SamplingParams(max_tokens=100),
        num_choices=num_choices,
    )


def reply(
    *generations: Played,
    num_choices: int = 1,
    stops: Sequence[str] = (),
    metrics: Metrics | None = None,
) -> Reply:
    meter = ReplyMeter(metrics or Metrics(CollectorRegistry()))
    requests = [request(num_choices) for _ in generations]
    return Reply(requests, generations, Letters, stops, meter)


async def events_of(running: Reply) -> list[Event]:
    async with aclosing(running.events()) as events:
        return [event async for event in events]


async def test_a_choice_that_met_a_stop_string_does_not_end_its_siblings() -> None:
    played = Played(
        [
            *(token("a"), token("x", 1), token("."), token("y", 1), token("b"), token("z", 1)),
            token("c", end=FinishReason.LENGTH),
            token(".", 1, end=FinishReason.LENGTH),
        ]
    )
    running = reply(played, num_choices=2, stops=["."])
    first, second = await running.fold()
    assert (first.text, first.reason, first.stop_string) == ("a", EndReason.STOP, ".")
    assert (second.text, second.reason, second.stop_string) == ("xyz", EndReason.STOP, ".")
    assert running.usage == Usage(prompt_tokens=3, completion_tokens=2 + 4)
    assert running.end_reasons == {0: EndReason.STOP, 1: EndReason.STOP}
    assert not running.has_failed


async def test_the_engine_is_told_as_soon_as_the_last_choice_has_met_a_stop_string() -> None:
    played = Played([token("a"), token("."), *[token("b")] * 100])
    await events_of(reply(played, stops=["."]))
    assert played.is_cancelled
    assert played.num_taken == 2


async def test_progress_comes_before_text() -> None:
    played = Played(
        [PrefillProgress(0, 2, 3), PrefillProgress(0, 3, 3), token("a", end=FinishReason.LENGTH)]
    )
    progress, more, delta, finished = await events_of(reply(played))
    assert (progress, more) == (Progress(0, 2, 3), Progress(0, 3, 3))
    assert isinstance(delta, TextDelta)
    assert finished == ChoiceFinished(0, EndReason.LENGTH, None)


async def test_a_choice_without_tokens_is_finished_and_costs_none() -> None:
    ended: list[GenerationEvent] = [ChoiceEnded(choice, FinishReason.LENGTH) for choice in range(2)]
    running = reply(Played(ended), num_choices=2)
    assert await events_of(running) == [
        ChoiceFinished(choice, EndReason.LENGTH, None) for choice in range(2)
    ]
    assert running.usage == Usage(3, 0)


async def test_scores_of_the_prompt_come_before_the_text_and_are_folded_together() -> None:
    scores = [ScoredToken(token_id, -0.5, 1) for token_id in (7, 8)]
    events: list[GenerationEvent] = [
        PromptLogprobs(0, 1, (scores[0],)),
        PromptLogprobs(0, 2, (scores[1],)),
        token("a", end=FinishReason.LENGTH),
    ]
    first, second, *_ = await events_of(reply(Played(events)))
    assert (first, second) == (PromptScored(0, (scores[0],)), PromptScored(0, (scores[1],)))
    (folded,) = await reply(Played(events)).fold()
    assert (folded.prompt_scores, folded.text) == (scores, "a")


async def test_choices_of_several_prompts_are_numbered_through() -> None:
    long = Played(
        [
            *(token("a"), token("a", 1), token("b"), token("b", 1)),
            token("!", 0, FinishReason.LENGTH),
            token("?", 1, FinishReason.LENGTH),
        ]
    )
    short = Played([token("s", 0, FinishReason.LENGTH), token("t", 1, FinishReason.LENGTH)])
    running = reply(long, short, num_choices=2)
    assert [choice.text for choice in await running.fold()] == ["ab!", "ab?", "s", "t"]
    assert running.usage == Usage(prompt_tokens=6, completion_tokens=8)


async def test_an_error_of_one_prompt_ends_the_reply_and_frees_all() -> None:
    endless = Played([token("a")] * 10_000)
    failing = Played([token("b")], NumericError("nan"))
    running = reply(endless, failing)
    with pytest.raises(NumericError):
        await running.fold()
    assert endless.is_cancelled
    assert failing.is_cancelled


async def test_usage_is_right_after_an_error() -> None:
    running = reply(Played([token("a"), token("b")], WorkerDied("gone")))
    with pytest.raises(WorkerDied):
        await running.fold()
    assert running.usage == Usage(prompt_tokens=3, completion_tokens=2)
    assert running.has_failed
    assert running.end_reasons == {}


async def test_an_engine_that_just_stops_is_an_error_and_not_a_short_reply() -> None:
    with pytest.raises(EngineError):
        await events_of(reply(Played([token("a")])))


@pytest.mark.parametrize("taken", [0, 1, 2])
async def test_closing_early_tells_the_engine(taken: int) -> None:
    played = Played([token("a")] * 10)
    running = reply(played)
    events: AsyncGenerator[Event] = running.events()
    for _ in range(taken):
        await anext(events)
    await events.aclose()
    running.cancel()
    assert played.is_cancelled
    assert running.usage.completion_tokens == taken


async def test_a_cancelled_task_tells_the_engine() -> None:
    engine = FakeEngine(Script(token_ids=(1, 2), delay=60))
    meter = ReplyMeter(Metrics(CollectorRegistry()))
    running = submit(engine, [request(), request()], Letters, [], meter)
    task = asyncio.create_task(running.fold())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not engine.active


async def test_an_aborted_reply_is_logged_with_what_it_used() -> None:
    running = reply(Played([token("a", 1), token("b"), token("c")] * 2), num_choices=2)
    with capture_logs() as logs:
        async with aclosing(running.events()) as events:
            for _ in range(2):
                await anext(events)
        running.cancel()
    (line,) = logs
    assert line.pop("seconds") >= 0
    assert line == {
        "event": "reply",
        "log_level": "info",
        "prompt_tokens": 3,
        "cached_tokens": 0,
        "completion_tokens": 2,
        "unfinished_choices": 2,
    }


async def test_all_prompts_are_submitted_or_none() -> None:
    engine = EngineForTwo()
    meter = ReplyMeter(Metrics(CollectorRegistry()))
    requests = [request() for _ in range(4)]
    with pytest.raises(QueueFull):
        submit(engine, requests, Letters, [], meter)
    assert not engine.active


async def test_a_reply_is_measured_once_however_it_ends() -> None:
    metrics = Metrics(CollectorRegistry())
    meter = ReplyMeter(metrics)
    told: list[Usage] = []
    meter.on_end(told.append)
    played = Played([token("a"), token("b")], WorkerDied("gone"))
    running = Reply([request()], [played], Letters, [], meter)
    with pytest.raises(WorkerDied):
        await running.fold()
    running.cancel()
    assert told == [Usage(3, 2)]
    assert meter.seconds is not None
    assert meter.seconds_to_first_token is not None
    assert 0 <= meter.seconds_to_first_token <= meter.seconds
    exposition = metrics.exposition().decode()
    assert "granite_prompt_tokens_total 3.0" in exposition
    assert "granite_generation_tokens_total 2.0" in exposition
    assert "granite_e2e_request_latency_seconds_count 1.0" in exposition
    assert "granite_time_to_first_token_seconds_count 1.0" in exposition
    assert "granite_inter_token_latency_seconds_count 1.0" in exposition
