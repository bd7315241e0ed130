"""The client on a real worker process with the fake model: requests, cancels, limits."""

import asyncio

import pytest

from engine.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    InvalidRequest,
    QueueFull,
    QueueTimeout,
    SlowReader,
)
from engine.interface import EngineState
from engine.request import GenerationRequest, PrefillProgress
from tests.engine.asynchronous import is_idle, read, until
from tests.engine.conftest import StartEngine
from tests.engine.fakes import make_request, solo_tokens

pytestmark = pytest.mark.slow  # whole lives of processes


def requests(count: int, max_tokens: int = 20) -> list[GenerationRequest]:
    return [make_request((n, n + 1, n + 2), max_tokens) for n in range(1, count + 1)]


async def test_a_generation_yields_progress_then_the_tokens_of_the_model(
    start_engine: StartEngine,
) -> None:
    client = await start_engine()
    request = make_request()
    events = [event async for event in client.submit(request)]
    assert events[0] == PrefillProgress(0, 3, 3)
    assert [event.token_id for event in events[1:]] == solo_tokens(request)  # type: ignore[union-attr]  # tokens follow
    await until(lambda: is_idle(client))


async def test_many_generations_at_once_do_not_change_each_other(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(max_queued_requests=40)
    many = requests(40)
    replies = await asyncio.gather(*(read(client.submit(request)) for request in many))
    for request, reply in zip(many, replies, strict=True):
        assert reply.error is None
        assert reply.tokens == {0: solo_tokens(request)}
    assert is_idle(client)


async def test_choices_have_their_own_tokens_and_ends(start_engine: StartEngine) -> None:
    client = await start_engine()
    request = make_request(num_choices=3)
    reply = await read(client.submit(request))
    assert reply.num_finished == 3
    assert reply.tokens == {choice: solo_tokens(request, choice) for choice in range(3)}


async def test_a_request_without_seed_gets_a_fresh_one_each_time(
    start_engine: StartEngine,
) -> None:
    client = await start_engine()
    request = make_request(seed=None)
    first, second = [await read(client.submit(request)) for _ in range(2)]
    assert first.tokens != second.tokens


async def test_before_the_model_is_loaded_requests_are_turned_away(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(checkpoint="fake:load=0.5", until_ready=False)
    assert client.state is EngineState.LOADING
    assert client.info is None
    with pytest.raises(EngineUnavailable) as refused:
        client.submit(make_request())
    assert refused.value.retry_after >= 1
    await until(lambda: 0.0 < client.load_progress < 1.0)
    await until(lambda: client.state is EngineState.READY)
    assert client.load_progress == 1.0
    assert (await read(client.submit(make_request()))).error is None


async def test_an_invalid_request_is_refused_before_it_is_sent(start_engine: StartEngine) -> None:
    client = await start_engine()
    with pytest.raises(InvalidRequest):
        client.submit(make_request((5000,)))
    assert client.stats.waiting == 0


async def test_overload_is_refused_at_once_and_the_rest_is_served(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(checkpoint="fake:step=0.002", max_queued_requests=4)
    admitted, num_refused = [], 0
    for request in requests(80):
        try:
            admitted.append((request, asyncio.ensure_future(read(client.submit(request)))))
        except QueueFull:
            num_refused += 1
    assert len(admitted) == 8
    assert num_refused == 72
    for request, reply in admitted:
        assert (await reply).tokens == {0: solo_tokens(request)}
    assert is_idle(client)
    assert (await read(client.submit(make_request()))).error is None


@pytest.mark.parametrize("num_events", [0, 1, 2, 5, 10])
async def test_cancelling_in_any_phase_frees_everything(
    start_engine: StartEngine, num_events: int
) -> None:
    client = await start_engine(checkpoint="fake:step=0.002", step_rows=16)
    generation = client.submit(make_request(tuple(range(1, 41)), 7))
    events = aiter(generation)
    for _ in range(num_events):
        await anext(events)
    generation.cancel()
    with pytest.raises(StopAsyncIteration):
        await anext(events)
    await until(lambda: is_idle(client))
    assert client.stats.late_messages in (0, 1)  # 1 if the last token crossed the cancel


async def test_a_queued_request_that_is_cancelled_is_never_started(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(checkpoint="fake:step=0.005", num_slots=1)
    running, queued = (client.submit(request) for request in requests(2))
    queued.cancel()
    assert (await read(queued)).tokens == {}
    assert (await read(running)).num_finished == 1
    await until(lambda: is_idle(client))
    assert client.stats.steps == 20


async def test_aborting_and_retrying_fifty_times_gives_the_same_tokens(
    start_engine: StartEngine,
) -> None:
    client = await start_engine()
    request = make_request(tuple(range(1, 41)), 4)
    expected = solo_tokens(request)
    for attempt in range(50):
        aborted = client.submit(request)
        for _ in range(attempt % 3):
            await asyncio.sleep(0.0005)
        aborted.cancel()
        assert (await read(client.submit(request))).tokens == {0: expected}
    await until(lambda: is_idle(client))


async def test_aborting_one_of_a_batch_at_each_step_leaves_the_others_unchanged(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(num_slots=8, num_pages=128, checkpoint="fake:step=0.001")
    steady = requests(7, max_tokens=40)
    readers = [asyncio.ensure_future(read(client.submit(request))) for request in steady]
    while not all(reader.done() for reader in readers):
        passing = client.submit(make_request((900, 901), 40))
        await anext(aiter(passing))
        passing.cancel()
    for request, reader in zip(steady, readers, strict=True):
        assert reader.result().tokens == {0: solo_tokens(request)}


async def test_waiting_too_long_is_a_queue_timeout(start_engine: StartEngine) -> None:
    client = await start_engine(checkpoint="fake:step=0.02", num_slots=1, queue_timeout_seconds=0.1)
    running, queued = [
        asyncio.ensure_future(read(client.submit(request))) for request in requests(2)
    ]
    assert isinstance((await queued).error, QueueTimeout)
    assert (await running).num_finished == 1


async def test_running_too_long_is_a_deadline_exceeded(start_engine: StartEngine) -> None:
    client = await start_engine(checkpoint="fake:step=0.02", request_timeout_seconds=0.1)
    reply = await read(client.submit(make_request(max_tokens=40)))
    assert isinstance(reply.error, DeadlineExceeded)
    assert 0 < len(reply.tokens[0]) < 40
    assert is_idle(client)


async def test_a_slow_reader_is_cut_off_and_the_others_are_not(start_engine: StartEngine) -> None:
    client = await start_engine(output_queue_events=8)
    slow = client.submit(make_request((1, 2), 40))
    quick = make_request((3, 4), 6)  # fewer events than fit, should they all arrive at once
    assert (await read(client.submit(quick))).tokens == {0: solo_tokens(quick)}
    await until(lambda: is_idle(client))
    reply = await read(slow)
    assert isinstance(reply.error, SlowReader)
    assert reply.tokens == {0: solo_tokens(make_request((1, 2), 7))}


async def test_unread_prompt_tokens_are_bounded(start_engine: StartEngine) -> None:
    client = await start_engine(max_queued_tokens=30, checkpoint="fake:step=0.005")
    prompt = tuple(range(1, 21))
    first = client.submit(make_request(prompt, 2))
    with pytest.raises(QueueFull):
        client.submit(make_request(prompt, 2))
    assert (await read(first)).num_finished == 1
    assert (await read(client.submit(make_request(prompt, 2)))).num_finished == 1


async def test_a_stopped_engine_ends_its_generations_and_takes_no_more(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(checkpoint="fake:step=0.05")
    reader = asyncio.ensure_future(read(client.submit(make_request())))
    await asyncio.sleep(0)
    await client.stop()
    assert (await reader).error is not None
    assert client.state is EngineState.STOPPED
    with pytest.raises(EngineUnavailable):
        client.submit(make_request())
    await client.stop()
