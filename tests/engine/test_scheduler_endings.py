"""How the scheduler ends sequences early: cancels, deadlines, failures."""

import pytest

from engine.allocator import AllocationError
from engine.errors import DeadlineExceeded, EngineError, NumericError, OutOfMemory, QueueTimeout
from engine.options import EngineOptions
from engine.outputs import Cancelled, Output
from engine.scheduler import Scheduler
from engine.step import StepFailed
from tests.engine.fakes import (
    EOS,
    FakeRunner,
    error_of,
    make_request,
    run_step,
    run_until_idle,
    small_options,
    solo_tokens,
    tokens_of,
)


def make(**changes: object) -> tuple[Scheduler, FakeRunner]:
    options: EngineOptions = small_options(**changes)
    return Scheduler(options, frozenset({EOS})), FakeRunner(options)


@pytest.mark.parametrize("num_steps", [0, 1, 2, 4])
def test_cancelling_in_any_phase_frees_everything_at_once(num_steps: int) -> None:
    scheduler, runner = make(num_slots=1, step_rows=16)
    scheduler.submit(1, make_request(tuple(range(1, 21)), 8), 0.0)
    scheduler.submit(2, make_request((1, 2), 8), 0.0)
    for _ in range(num_steps):
        run_step(scheduler, runner)
    assert scheduler.cancel(1)
    assert scheduler.cancel(2)
    scheduler.check_integrity()
    assert scheduler.take_outputs() == [Output(1, Cancelled()), Output(2, Cancelled())]
    assert scheduler.memory.slots.num_free == 1
    assert scheduler.memory.pages.num_free == 16
    assert not scheduler.has_work


def test_cancelling_twice_or_after_the_end_changes_nothing() -> None:
    scheduler, runner = make()
    scheduler.submit(1, make_request(max_tokens=1), 0.0)
    run_until_idle(scheduler, runner)
    assert not scheduler.cancel(1)
    assert not scheduler.cancel(99)
    assert scheduler.take_outputs() == []


def test_a_generation_number_in_use_is_refused() -> None:
    scheduler, _ = make()
    assert scheduler.submit(1, make_request(), 0.0)
    assert not scheduler.submit(1, make_request(), 0.0)
    assert len(scheduler.waiting) == 1


def test_cancelling_one_of_a_batch_leaves_the_others_unchanged() -> None:
    requests = {n: make_request((n, n + 1), 12) for n in range(1, 5)}
    scheduler, runner = make()
    for generation, request in requests.items():
        scheduler.submit(generation, request, 0.0)
    outputs = run_step(scheduler, runner) + run_step(scheduler, runner)
    scheduler.cancel(2)
    outputs += run_until_idle(scheduler, runner)
    for generation in (1, 3, 4):
        assert tokens_of(outputs, generation) == solo_tokens(requests[generation])


def test_aborting_a_prefill_and_retrying_gives_the_same_tokens_every_time() -> None:
    request = make_request(tuple(range(1, 41)), 3)
    expected = solo_tokens(request)
    scheduler, runner = make()
    for attempt in range(50):
        scheduler.submit(2 * attempt, request, 0.0)
        for _ in range(attempt % 4):
            run_step(scheduler, runner)
        scheduler.cancel(2 * attempt)
        scheduler.submit(2 * attempt + 1, request, 0.0)
        outputs = run_until_idle(scheduler, runner)
        assert tokens_of(outputs, 2 * attempt + 1) == expected


def test_waiting_too_long_is_a_queue_timeout_and_running_is_not() -> None:
    scheduler, runner = make(num_slots=1, queue_timeout_seconds=10.0)
    scheduler.submit(1, make_request(), 0.0)
    run_step(scheduler, runner, 0.0)
    scheduler.submit(2, make_request(), 0.0)
    outputs = run_step(scheduler, runner, 11.0)
    assert isinstance(error_of(outputs, 2), QueueTimeout)
    assert len(tokens_of(outputs, 1)) == 1


def test_the_total_deadline_ends_a_running_request() -> None:
    scheduler, runner = make(request_timeout_seconds=10.0)
    scheduler.submit(1, make_request(), 0.0)
    run_step(scheduler, runner, 9.0)
    outputs = run_step(scheduler, runner, 11.0)
    assert isinstance(error_of(outputs, 1), DeadlineExceeded)
    assert not scheduler.has_work


def test_a_row_that_fails_ends_its_request_with_all_choices_and_no_other() -> None:
    scheduler, runner = make()
    scheduler.submit(1, make_request((1, 2), 4, num_choices=2), 0.0)
    scheduler.submit(2, make_request((3, 4), 4), 0.0)
    plan = scheduler.next(0.0)
    results = list(runner.run(plan))  # type: ignore[arg-type]  # the fake never fails as a whole
    results[0] = NumericError("not finite")
    scheduler.commit(plan, results)
    scheduler.check_integrity()
    outputs = scheduler.take_outputs()
    assert [output.generation for output in outputs if isinstance(output.event, EngineError)] == [1]
    outputs += run_until_idle(scheduler, runner)
    assert tokens_of(outputs, 1) == []
    assert tokens_of(outputs, 2) == solo_tokens(make_request((3, 4), 4))


def test_a_failing_step_costs_only_the_sequence_that_fails_alone() -> None:
    requests = {n: make_request((n, n + 1), 6) for n in (1, 2, 3)}
    scheduler, runner = make()
    for generation, request in requests.items():
        scheduler.submit(generation, request, 0.0)
    outputs: list[Output] = []
    for _ in range(100):
        plan = scheduler.next(0.0)
        poisoned = any(c.sequence.generation == 2 and c.stop == 4 for c in plan.chunks)
        broken = poisoned or any(c.sequence.generation == 2 and c.stop > 4 for c in plan.chunks)
        results = runner.run(plan)  # also what fails has touched the state
        if broken:
            results = StepFailed(EngineError("boom"))
        scheduler.commit(plan, results)
        scheduler.check_integrity()
        outputs += scheduler.take_outputs()
    assert not scheduler.has_work
    assert isinstance(error_of(outputs, 2), EngineError)
    for generation in (1, 3):
        assert error_of(outputs, generation) is None
        assert tokens_of(outputs, generation) == solo_tokens(requests[generation])


def test_an_allocation_failure_that_does_not_recur_costs_nothing() -> None:
    requests = {n: make_request((n, n + 1), 6) for n in (1, 2, 3)}
    for failing_step in range(6):
        scheduler, runner = make()
        for generation, request in requests.items():
            scheduler.submit(generation, request, 0.0)
        outputs: list[Output] = []
        for step in range(100):
            plan = scheduler.next(0.0)
            results = runner.run(plan)  # also what fails has touched the state
            scheduler.commit(plan, StepFailed(OutOfMemory("")) if step == failing_step else results)
            outputs += scheduler.take_outputs()
        for generation, request in requests.items():
            assert tokens_of(outputs, generation) == solo_tokens(request)


def test_the_integrity_check_finds_a_lost_page_and_a_lost_sequence() -> None:
    scheduler, runner = make()
    scheduler.submit(1, make_request(), 0.0)
    run_step(scheduler, runner)
    page = scheduler.running[0].pages.pop()
    with pytest.raises(AllocationError, match="lost"):
        scheduler.check_integrity()
    scheduler.running[0].pages.append(page)
    scheduler.check_integrity()
    scheduler.running.clear()
    with pytest.raises(AllocationError):
        scheduler.check_integrity()
