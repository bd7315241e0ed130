"""How many prompt rows a step may carry follows from what its rows cost on this machine."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.errors import EngineError, NumericError
from engine.interface import EngineInfo
from engine.options import EngineOptions
from engine.scheduler import Scheduler
from engine.step import StepPlan, StepResults
from engine.warm_up import FEWEST_ROWS, Loaded, choose_rows_beside_decode, prove
from tests.engine.fakes import (
    EOS,
    FakeRunner,
    make_request,
    run_step,
    small_options,
    vocabulary,
)
from tests.engine.local_grammars import LocalGrammars

OPTIONS = small_options(num_pages=64, page_length=16, step_rows=128, context_length=512)


class PricedRunner(FakeRunner):
    """A step costs seconds by its rows: `now` is the clock."""

    def __init__(self, options: EngineOptions, price: Callable[[int], float]) -> None:
        super().__init__(options)
        self._price = price
        self.now = 0.0

    def run(self, plan: StepPlan) -> StepResults:
        self.now += self._price(sum(chunk.stop - chunk.start for chunk in plan.chunks))
        return super().run(plan)


class BrokenRunner(FakeRunner):
    def run(self, plan: StepPlan) -> StepResults:
        return [NumericError("not finite") for _ in plan.chunks]


def loaded(runner: FakeRunner) -> Loaded:
    info = EngineInfo(
        dtype="fp32",
        device="cpu",
        num_parameters=1,
        weight_bytes=4,
        state_bytes=4,
        context_length=512,
        vocab_size=100,
        num_slots=4,
    )
    return Loaded(runner, info, frozenset({EOS}), LocalGrammars(vocabulary))


def measured(
    monkeypatch: pytest.MonkeyPatch, price: Callable[[int], float], step_rows: int = 128
) -> int:
    options = small_options(num_pages=64, page_length=16, step_rows=step_rows, context_length=512)
    runner = PricedRunner(options, price)
    monkeypatch.setattr("engine.warm_up.time.perf_counter", lambda: runner.now)
    return choose_rows_beside_decode(loaded(runner), options)


def test_as_many_rows_as_nearly_double_a_decode_step(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = measured(monkeypatch, lambda rows: 20.0 + rows)
    alone, beside_one_reply = 20.0 + 1, 20.0 + 1 + rows
    assert 1.5 * alone < beside_one_reply < 2 * alone


def test_the_replys_own_row_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels take so many rows at once that one more may cost a whole pass."""
    assert measured(monkeypatch, lambda rows: 1.0 if rows <= 8 else 2.0) == 7


def test_a_dear_row_is_left_out_unless_the_cheap_ones_behind_it_are_affordable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kernels take five rows at once: the sixth costs as much as all up to the tenth."""
    assert measured(monkeypatch, lambda rows: 0.4 + 0.6 * -(-rows // 5)) == 9
    dearer = {5: 1.0, 6: 1.65, 7: 1.65}
    assert measured(monkeypatch, lambda rows: dearer.get(rows, 1.0 if rows < 5 else 1.9)) == 4


def test_a_prompt_goes_on_however_dear_its_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, lambda rows: 0.1 + rows) == FEWEST_ROWS


def test_free_rows_fill_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, lambda rows: 20.0) == 128
    assert measured(monkeypatch, lambda rows: 40.0 + rows, step_rows=16) == 16


def test_a_given_number_of_rows_is_not_measured() -> None:
    options = replace(OPTIONS, rows_beside_decode=33)
    assert choose_rows_beside_decode(loaded(BrokenRunner(options)), options) == 33


def test_a_model_that_does_not_compute_is_refused() -> None:
    with pytest.raises(EngineError, match="not finite"):
        prove(loaded(BrokenRunner(OPTIONS)), OPTIONS)


def test_prompts_take_whole_steps_alone_and_measured_ones_beside_a_decode() -> None:
    scheduler = Scheduler(OPTIONS, frozenset({EOS}), rows_beside_decode=10)
    runner = FakeRunner(OPTIONS)
    scheduler.submit(1, make_request(tuple(range(1, 201)), 50, ignore_eos=True), 0.0)
    first = scheduler.next(0.0)
    assert [chunk.stop - chunk.start for chunk in first.chunks] == [128]
    scheduler.commit(first, runner.run(first))
    run_step(scheduler, runner)
    scheduler.submit(2, make_request(tuple(range(1, 31)), 5), 0.0)
    shared = scheduler.next(0.0)
    assert [chunk.stop - chunk.start for chunk in shared.chunks] == [1, 10]


@pytest.mark.parametrize(("num_prompts", "num_rows"), [(1, 10), (2, 20), (3, 30), (4, 30)])
def test_more_unread_prompts_may_slow_replies_more(num_prompts: int, num_rows: int) -> None:
    scheduler = Scheduler(OPTIONS, frozenset({EOS}), rows_beside_decode=10)
    runner = FakeRunner(OPTIONS)
    scheduler.submit(0, make_request((1, 2, 3), 50, ignore_eos=True), 0.0)
    run_step(scheduler, runner)
    for number in range(num_prompts):
        scheduler.submit(1 + number, make_request(tuple(range(1, 81)), 5), 0.0)
    decode, *prefills = scheduler.next(0.0).chunks
    assert decode.stop - decode.start == 1
    assert sum(chunk.stop - chunk.start for chunk in prefills) == num_rows
