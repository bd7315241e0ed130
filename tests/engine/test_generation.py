import asyncio

import pytest

from engine.errors import SlowReader, WorkerDied
from engine.generation import WorkerGeneration
from engine.request import (
    ChoiceEnded,
    FinishReason,
    GenerationEvent,
    PrefillProgress,
    TokenEvent,
)
from tests.engine.asynchronous import read
from tests.engine.fakes import make_request


class Cancels:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def token(token_id: int, *, choice: int = 0, last: bool = False) -> GenerationEvent:
    reason = FinishReason.LENGTH if last else None
    return TokenEvent(choice=choice, token_id=token_id, finish_reason=reason)


def make(num_choices: int = 1, capacity: int = 8) -> tuple[WorkerGeneration, Cancels]:
    cancels = Cancels()
    return WorkerGeneration(make_request(num_choices=num_choices), capacity, cancels), cancels


async def test_events_come_in_order_and_end_after_the_last_choice() -> None:
    generation, cancels = make(num_choices=2)
    reader = asyncio.ensure_future(read(generation))
    for event in (token(1), token(2, choice=1, last=True), token(3, last=True)):
        assert not generation.is_closed
        generation.deliver(event)
        await asyncio.sleep(0)
    reply = await reader
    assert reply.tokens == {0: [1, 3], 1: [2]}
    assert reply.num_finished == 2
    assert reply.error is None
    assert generation.is_closed
    assert cancels.count == 0


async def test_a_choice_may_end_without_a_token() -> None:
    generation, _ = make(num_choices=2)
    generation.deliver(ChoiceEnded(0, FinishReason.LENGTH))
    assert generation.num_unfinished == 1
    generation.deliver(ChoiceEnded(1, FinishReason.LENGTH))
    assert generation.is_closed
    assert [event async for event in generation] == [
        ChoiceEnded(choice, FinishReason.LENGTH) for choice in range(2)
    ]


async def test_progress_starts_a_choice() -> None:
    generation, _ = make(num_choices=2)
    assert generation.num_unstarted == 2
    generation.deliver(PrefillProgress(1, 4, 8))
    assert generation.num_unstarted == 1
    assert generation.num_unfinished == 2


async def test_cancelling_wakes_the_reader_and_is_sent_once() -> None:
    generation, cancels = make()
    reader = asyncio.ensure_future(read(generation))
    await asyncio.sleep(0)
    generation.cancel()
    generation.cancel()
    reply = await reader
    assert reply.error is None
    assert cancels.count == 1
    assert not generation.is_closed
    generation.deliver(token(1))
    generation.close(None)
    assert generation.is_closed
    assert (await read(generation)).tokens == {}


async def test_cancelling_after_the_end_sends_nothing() -> None:
    generation, cancels = make()
    generation.deliver(token(1, last=True))
    generation.cancel()
    assert cancels.count == 0
    assert (await read(generation)).tokens == {0: [1]}


async def test_a_reader_that_takes_nothing_loses_its_generation_and_memory_stays_bounded() -> None:
    generation, cancels = make(capacity=3)
    for token_id in range(100):
        generation.deliver(token(token_id))
    reply = await read(generation)
    assert reply.tokens == {0: [0, 1, 2]}
    assert isinstance(reply.error, SlowReader)
    assert cancels.count == 1


async def test_the_loss_of_the_worker_is_raised_once_after_what_had_arrived() -> None:
    generation, _ = make()
    generation.deliver(token(1))
    generation.close(WorkerDied("gone"))
    generation.close(WorkerDied("gone again"))
    events = aiter(generation)
    assert await anext(events) == token(1)
    with pytest.raises(WorkerDied, match="gone$"):
        await anext(events)
    with pytest.raises(StopAsyncIteration):
        await anext(events)
