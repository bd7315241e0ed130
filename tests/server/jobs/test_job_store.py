"""Jobs in memory: whose they are, how long they stay, and how much room they may take."""

import asyncio
from collections.abc import Callable

import pytest

from engine.errors import QueueFull
from server.jobs.job import Job, JobState, Lifetime
from server.jobs.store import JobStore, Room


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_job(clock: Clock) -> Callable[..., Job]:
    def new(job_id: str, owner: str = "a", place: str = "here", num_bytes: int = 10) -> Job:
        lifetime = Lifetime(kept=60, total=600)
        return Job(
            job_id=job_id,
            owner=owner,
            place=place,
            input_bytes=num_bytes,
            lifetime=lifetime,
            clock=clock,
        )

    return new


def ids(store: JobStore, owner: str = "a") -> list[str]:
    return [job.id for job in store.jobs(owner, "here")]


def test_a_job_exists_only_for_its_owner_and_at_its_place(new_job: Callable[..., Job]) -> None:
    store, job = JobStore(), new_job("1")
    store.add(job)
    assert store.find("1", "a", "here") is job
    assert store.find("1", "b", "here") is None
    assert store.find("1", "a", "there") is None


def test_a_result_is_forgotten_some_time_after_its_end(
    new_job: Callable[..., Job], clock: Clock
) -> None:
    store, job = JobStore(), new_job("1")
    store.add(job)
    clock.now += 100
    job.end(JobState.COMPLETED)
    clock.now += 59
    assert store.find("1", "a", "here") is job
    clock.now += 1
    assert store.find("1", "a", "here") is None


def test_a_job_that_outlives_its_time_is_stopped_and_forgotten(
    new_job: Callable[..., Job], clock: Clock
) -> None:
    store, job = JobStore(), new_job("1")
    store.add(job)
    clock.now += 600
    assert ids(store) == []
    assert job.state is JobState.CANCELLED


def test_the_time_that_a_job_is_kept_can_be_changed(
    new_job: Callable[..., Job], clock: Clock
) -> None:
    store, job = JobStore(), new_job("1")
    store.add(job)
    job.end(JobState.COMPLETED)
    job.keep_for(6)
    clock.now += 5
    assert ids(store) == ["1"]
    clock.now += 1
    assert ids(store) == []


def test_the_oldest_results_make_room_and_running_jobs_do_not(
    new_job: Callable[..., Job],
) -> None:
    store = JobStore(Room(max_jobs=2))
    running, done = new_job("running"), new_job("done")
    store.add(running)
    store.add(done)
    done.end(JobState.FAILED)
    store.add(new_job("new"))
    assert ids(store) == ["running", "new"]
    with pytest.raises(QueueFull):
        store.add(new_job("newer"))
    store.add(new_job("other's", owner="b"))
    assert ids(store, "b") == ["other's"]


def test_bytes_of_inputs_and_outputs_are_bounded_together(new_job: Callable[..., Job]) -> None:
    store = JobStore(Room(max_bytes=100))
    first = new_job("1", num_bytes=30)
    store.add(first)
    first.add({"text": "x"}, 60)
    with pytest.raises(QueueFull):
        store.add(new_job("2", num_bytes=20))
    first.end(JobState.COMPLETED)
    assert first.num_bytes == 60, "a job that is over needs no input"
    store.add(new_job("2", num_bytes=20))
    assert ids(store) == ["1", "2"]
    store.add(new_job("3", num_bytes=40))
    assert ids(store) == ["2", "3"]


def test_times_are_those_of_the_last_attempt(new_job: Callable[..., Job], clock: Clock) -> None:
    job = new_job("1")
    job.queue()
    assert (job.delay, job.duration) == (None, None)
    clock.now += 2
    job.started()
    clock.now += 3
    job.started()
    assert (job.delay, job.duration) == (2, None)
    job.add({"text": "half"}, 10)
    job.end(JobState.FAILED)
    job.queue()
    assert (job.state, job.outputs, job.num_attempts) == (JobState.QUEUED, [], 2)
    clock.now += 1
    job.started()
    clock.now += 7
    job.end(JobState.COMPLETED)
    job.end(JobState.FAILED)
    assert (job.state, job.delay, job.duration) == (JobState.COMPLETED, 1, 7)


async def test_closing_the_store_stops_all_work(new_job: Callable[..., Job]) -> None:
    store, job, released = JobStore(), new_job("1"), asyncio.Event()
    store.add(job)
    job.begin(asyncio.Event().wait(), released.set)  # type: ignore[arg-type]  # waits for ever
    await store.close()
    await asyncio.wait_for(released.wait(), 5)
    assert job.state is JobState.CANCELLED


async def test_what_a_job_holds_is_given_back_even_if_it_never_began(
    new_job: Callable[..., Job],
) -> None:
    job, released = new_job("1"), asyncio.Event()

    async def work() -> None:
        raise AssertionError("it was cancelled before it could begin")

    job.begin(work(), released.set)
    job.cancel()
    await asyncio.wait_for(released.wait(), 5)


async def test_waiting_ends_with_news_or_with_patience(new_job: Callable[..., Job]) -> None:
    job = new_job("1")
    await job.wait_until(lambda job: job.has_news, 0.01)
    assert job.take_news() == []
    waiting = asyncio.create_task(job.wait_until(lambda job: job.has_news, 5))
    await asyncio.sleep(0)
    job.add({"n": 1}, 1)
    await waiting
    assert job.take_news() == [{"n": 1}]
    assert job.take_news() == []
