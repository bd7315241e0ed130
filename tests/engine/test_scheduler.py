"""Single policies of the scheduler; the invariants over random histories are in
test_scheduler_properties.
"""

import subprocess
import sys

import pytest

from engine.errors import OutOfMemory
from engine.options import EngineOptions
from engine.request import FinishReason, PrefillProgress, TokenEvent
from engine.scheduler import Scheduler
from engine.step import NewToken, StepPlan
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


def rows(plan: StepPlan) -> list[tuple[int, int, int]]:
    return [(chunk.sequence.generation, chunk.start, chunk.stop) for chunk in plan.chunks]


def test_the_scheduler_and_all_it_imports_need_no_torch() -> None:
    code = "import sys, engine.scheduler; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_prompt_is_read_in_one_step_and_then_decoded_row_by_row() -> None:
    scheduler, runner = make()
    scheduler.submit(1, make_request((1, 2, 3), 3), 0.0)
    plans = []
    while scheduler.has_work:
        plans.append(scheduler.next(0.0))
        scheduler.commit(plans[-1], runner.run(plans[-1]))
    assert [rows(plan) for plan in plans] == [[(1, 0, 3)], [(1, 3, 4)], [(1, 4, 5)]]
    assert [len(plan.reset_slots) for plan in plans] == [1, 0, 0]
    events = [output.event for output in scheduler.take_outputs()]
    assert events[0] == PrefillProgress(0, 3, 3)
    reasons = [event.finish_reason for event in events if isinstance(event, TokenEvent)]
    assert reasons == [None, None, FinishReason.LENGTH]


def test_a_long_prompt_is_cut_to_the_row_budget_and_reports_its_progress() -> None:
    scheduler, runner = make(step_rows=16)
    scheduler.submit(1, make_request(tuple(range(1, 41)), 1), 0.0)
    outputs = run_until_idle(scheduler, runner)
    progress = [o.event.processed for o in outputs if isinstance(o.event, PrefillProgress)]
    assert progress == [16, 32, 40]


@pytest.mark.parametrize("length", [1, 3, 4, 5, 15, 16, 17, 31, 32, 33])
def test_prompts_around_every_boundary_give_the_tokens_of_a_whole_prefill(length: int) -> None:
    request = make_request(tuple(range(1, length + 1)), 6)
    scheduler, runner = make()
    scheduler.submit(1, request, 0.0)
    assert tokens_of(run_until_idle(scheduler, runner), 1) == solo_tokens(request)


def test_decodes_never_wait_for_a_long_prompt() -> None:
    scheduler, runner = make(step_rows=16, num_pages=64)
    scheduler.submit(1, make_request((1, 2), 20), 0.0)
    run_step(scheduler, runner)
    scheduler.submit(2, make_request(tuple(range(1, 41)), 2), 0.0)
    for _ in range(3):
        plan = scheduler.next(0.0)
        assert rows(plan)[0][0] == 1
        assert sum(chunk.stop - chunk.start for chunk in plan.chunks) <= 16
        scheduler.commit(plan, runner.run(plan))


def test_a_short_prompt_of_another_client_is_read_beside_a_long_one() -> None:
    scheduler, runner = make(step_rows=16, num_pages=64)
    scheduler.submit(1, make_request(tuple(range(1, 41)), 2, client="long"), 0.0)
    run_step(scheduler, runner)
    scheduler.submit(2, make_request((1, 2, 3), 2, client="short"), 0.0)
    assert len(tokens_of(run_step(scheduler, runner), 2)) == 1


def test_a_flooding_client_does_not_take_the_turn_of_another() -> None:
    scheduler, runner = make(num_slots=1)
    for generation in range(1, 6):
        scheduler.submit(generation, make_request(max_tokens=1, client="flood"), 0.0)
    scheduler.submit(9, make_request(max_tokens=1, client="calm"), 0.0)
    finished = [
        output.generation
        for output in run_until_idle(scheduler, runner)
        if isinstance(output.event, TokenEvent)
    ]
    assert finished == [1, 9, 2, 3, 4, 5]


def test_every_decode_gets_its_turn_when_slots_outnumber_rows() -> None:
    scheduler, runner = make(num_slots=12, num_pages=64, step_rows=4)
    requests = {n: make_request((n,), 4) for n in range(1, 13)}
    for generation, request in requests.items():
        scheduler.submit(generation, request, 0.0)
    outputs = run_until_idle(scheduler, runner)
    for generation, request in requests.items():
        assert tokens_of(outputs, generation) == solo_tokens(request)


def test_choices_are_independent_sequences_of_one_request() -> None:
    request = make_request((1, 2, 3), 4, num_choices=3)
    scheduler, runner = make()
    scheduler.submit(1, request, 0.0)
    outputs = run_until_idle(scheduler, runner)
    replies = [tokens_of(outputs, 1, choice) for choice in range(3)]
    assert replies == [solo_tokens(request, choice) for choice in range(3)]
    assert len({tuple(reply) for reply in replies}) == 3


def test_a_preempted_request_yields_the_same_tokens_as_alone() -> None:
    requests = {n: make_request(tuple(range(n, n + 8)), 24) for n in range(1, 5)}
    scheduler, runner = make(num_pages=16)
    for generation, request in requests.items():
        scheduler.submit(generation, request, 0.0)
    outputs = run_until_idle(scheduler, runner)
    assert scheduler.num_preemptions > 0
    for generation, request in requests.items():
        assert tokens_of(outputs, generation) == solo_tokens(request)


def test_two_requests_that_each_need_most_pages_both_finish() -> None:
    requests = {n: make_request((n, n, n), 40) for n in (1, 2)}
    scheduler, runner = make(num_pages=12)
    for generation, request in requests.items():
        scheduler.submit(generation, request, 0.0)
    outputs = run_until_idle(scheduler, runner)
    for generation, request in requests.items():
        assert tokens_of(outputs, generation) == solo_tokens(request)


def test_prompts_that_do_not_fit_together_are_read_one_after_the_other() -> None:
    scheduler, runner = make(num_pages=12, step_rows=4)
    for generation in (1, 2):
        request = make_request(tuple(range(1, 33)), 1, client=str(generation))
        scheduler.submit(generation, request, 0.0)
    run_until_idle(scheduler, runner)
    assert scheduler.num_preemptions == 0


def test_a_decode_gives_way_to_an_older_prompt_in_the_step_it_was_planned_for() -> None:
    old, young = make_request(tuple(range(1, 41)), 1), make_request((1, 2, 3), 40, client="other")
    requests = {1: old, 2: young}
    scheduler, runner = make(num_pages=12, step_rows=4)
    for generation, request in requests.items():
        scheduler.submit(generation, request, 0.0)
    outputs = run_until_idle(scheduler, runner)
    assert scheduler.num_preemptions > 0
    for generation, request in requests.items():
        assert tokens_of(outputs, generation) == solo_tokens(request)


def test_a_request_preempted_too_often_fails_and_frees_everything() -> None:
    scheduler, runner = make(num_pages=12, max_preemptions=0)
    for generation in (1, 2):
        scheduler.submit(generation, make_request((1, 2, 3), 40), 0.0)
    outputs = run_until_idle(scheduler, runner)
    assert len(tokens_of(outputs, 1)) == 40
    assert isinstance(error_of(outputs, 2), OutOfMemory)
    assert scheduler.memory.pages.num_free == 12


def test_the_context_is_never_longer_than_all_pages() -> None:
    scheduler, runner = make(num_pages=4, context_length=4096)
    scheduler.submit(1, make_request((1, 2, 3), 1000), 0.0)
    outputs = run_until_idle(scheduler, runner)
    assert len(tokens_of(outputs, 1)) == 13
    last = outputs[-1].event
    assert isinstance(last, TokenEvent)
    assert last.finish_reason is FinishReason.LENGTH


def test_stop_tokens_end_the_sequence_and_are_delivered() -> None:
    scheduler, _ = make()
    scheduler.submit(1, make_request((1, 2), 8, stop_token_ids=(42,)), 0.0)
    for token_id in (41, 42):
        plan = scheduler.next(0.0)
        scheduler.commit(plan, [NewToken(token_id=token_id)])
    events = [o.event for o in scheduler.take_outputs() if isinstance(o.event, TokenEvent)]
    assert [event.token_id for event in events] == [41, 42]
    assert events[-1].finish_reason is FinishReason.STOP


def test_a_preempted_sequence_begins_to_read_in_the_step_that_takes_it_back() -> None:
    scheduler, runner = make(num_slots=3, num_pages=9, step_rows=6, context_length=36)
    scheduler.submit(1, make_request(tuple(range(1, 19)), 12), 0.0)
    for _ in range(7):
        run_step(scheduler, runner)
    scheduler.submit(2, make_request((2,), 7), 0.0)
    while not scheduler.num_preemptions:
        run_step(scheduler, runner)
    (waiting,) = scheduler.waiting
    assert waiting.num_generated > 0
    while waiting in scheduler.waiting:
        plan = scheduler.next(0.0)
        scheduler.commit(plan, runner.run(plan))
    assert [chunk.sequence.generation for chunk in plan.chunks] == [2]
