"""Work that nobody waits for: it fills what is free, gives way at once, and loses nothing by it."""

from engine.outputs import Output
from engine.request import TokenEvent
from engine.scheduler import Scheduler
from tests.engine.fakes import (
    EOS,
    FakeRunner,
    make_request,
    run_step,
    run_until_idle,
    small_options,
    solo_tokens,
    tokens_of,
)


def make(**changes: object) -> tuple[Scheduler, FakeRunner]:
    options = small_options(**changes)
    return Scheduler(options, frozenset({EOS})), FakeRunner(options)


def order_of_ends(outputs: list[Output]) -> list[int]:
    return [
        output.generation
        for output in outputs
        if isinstance(output.event, TokenEvent) and output.event.finish_reason
    ]


def test_it_uses_what_nobody_else_wants() -> None:
    scheduler, runner = make(num_slots=2)
    for generation in (1, 2, 3):
        scheduler.submit(generation, make_request(is_background=True), 0.0)
    assert sorted(order_of_ends(run_until_idle(scheduler, runner))) == [1, 2, 3]
    assert scheduler.num_preemptions == 0


def test_a_request_takes_the_slot_of_the_youngest_and_it_goes_on_later_with_the_same_tokens() -> (
    None
):
    scheduler, runner = make(num_slots=2)
    older = make_request((1, 2), 8, is_background=True)
    younger = make_request((3, 4), 8, is_background=True)
    scheduler.submit(1, older, 0.0)
    scheduler.submit(2, younger, 0.0)
    outputs = run_step(scheduler, runner) + run_step(scheduler, runner)
    scheduler.submit(3, make_request((5, 6), 4), 0.0)
    outputs += run_step(scheduler, runner)
    assert {sequence.generation for sequence in scheduler.running} == {1, 3}
    outputs += run_until_idle(scheduler, runner)
    assert order_of_ends(outputs)[-1] == 2
    assert tokens_of(outputs, 1) == solo_tokens(older)
    assert tokens_of(outputs, 2) == solo_tokens(younger)


def test_it_never_takes_the_slot_of_anything() -> None:
    scheduler, runner = make(num_slots=1)
    scheduler.submit(1, make_request(max_tokens=4, is_background=True), 0.0)
    run_step(scheduler, runner)
    scheduler.submit(2, make_request(max_tokens=4, is_background=True, client="other"), 0.0)
    assert order_of_ends(run_until_idle(scheduler, runner)) == [1, 2]
    assert scheduler.num_preemptions == 0


def test_its_prompts_are_read_in_the_rows_that_others_leave() -> None:
    scheduler, runner = make(step_rows=16, num_pages=64)
    scheduler.submit(1, make_request(tuple(range(1, 31)), 2, is_background=True), 0.0)
    scheduler.submit(2, make_request(tuple(range(1, 25)), 2), 0.0)
    plan = scheduler.next(0.0)
    assert [(chunk.sequence.generation, chunk.stop) for chunk in plan.chunks] == [(2, 16)]
    scheduler.commit(plan, runner.run(plan))
    plan = scheduler.next(0.0)
    assert [(chunk.sequence.generation, chunk.stop) for chunk in plan.chunks] == [(2, 24), (1, 8)]


def test_it_gives_its_pages_to_a_younger_request() -> None:
    scheduler, runner = make(num_slots=2, num_pages=5, page_length=4, context_length=20)
    background = make_request((1, 2), 12, is_background=True)
    request = make_request((3, 4), 12)
    scheduler.submit(1, background, 0.0)
    outputs = run_step(scheduler, runner)
    scheduler.submit(2, request, 0.0)
    outputs += run_until_idle(scheduler, runner)
    assert order_of_ends(outputs) == [2, 1]
    assert tokens_of(outputs, 2) == solo_tokens(request)
    assert tokens_of(outputs, 1) == solo_tokens(background)
    assert scheduler.num_preemptions > 0
