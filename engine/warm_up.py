"""The first steps of a loaded model: that it computes at all, and how long its steps take."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import EngineError
from engine.grammars.interface import Grammars
from engine.interface import EngineInfo
from engine.options import EngineOptions
from engine.request import GenerationRequest
from engine.scheduler import Scheduler
from engine.step import StepRunner
from sampling.params import SamplingParams

WARM_UP = "warm-up"
"""The identity of every request made here."""
MEASURED_DECODES = 5
MOST_SLOWDOWN = 1.7
"""Of a decode step by prompt rows: replies are to lose at most half their pace, and steps get
longer with the prompt and with what else the machine does."""
FEWEST_ROWS = 4
"""Prompt rows that every step may carry: a prompt goes on however slow its rows are."""


@dataclass(frozen=True, slots=True)
class Loaded:
    runner: StepRunner
    info: EngineInfo
    eos_token_ids: frozenset[int]
    grammars: Grammars


def prove(loaded: Loaded, options: EngineOptions) -> None:
    """Generate two tokens from a prompt as large as a step, before anyone relies on the model.

    This also takes the largest activations' memory once, and warms caches up.

    Raises:
        EngineError: the model cannot compute, or computes something that is not finite.
    """
    _step_seconds(loaded, options, num_rows=options.step_rows, num_tokens=2)


def choose_rows_beside_decode(loaded: Loaded, options: EngineOptions) -> int:
    """As many as the options say; else with how many beside a decode step prompts are read fastest.

    Among those with which the step takes less than twice as long as alone. Decoding is bound by
    reading the weights, which further rows share, so the first ones are nearly free; then kernels
    take several at once, and one more may cost as much as five. Measured on this machine at every
    start, because nothing else is as true.

    Raises:
        EngineError: as `prove`.
    """
    if options.rows_beside_decode is not None:
        return options.rows_beside_decode
    _, *decodes = _step_seconds(loaded, options, num_rows=1, num_tokens=MEASURED_DECODES + 1)
    if not decodes:
        return options.step_rows
    best, best_pace = min(FEWEST_ROWS, options.step_rows), 0.0
    for num_rows in _growing_numbers(options.step_rows):
        together = 1 + num_rows  # with the reply's own
        runs = [_step_seconds(loaded, options, num_rows=together, num_tokens=2) for _ in range(2)]
        fastest = min(step for step, *_ in runs)
        # At the same moments: a shared machine is slower in some than in others.
        decodes += [decode for _, *after in runs for decode in after]
        if fastest > MOST_SLOWDOWN * min(decodes):
            break
        if num_rows / fastest > best_pace:
            best, best_pace = num_rows, num_rows / fastest
    return best


def _growing_numbers(last: int) -> Iterator[int]:
    number = FEWEST_ROWS
    while number < last:
        yield number
        number += max(1, number // 8)
    yield last


def _step_seconds(
    loaded: Loaded, options: EngineOptions, *, num_rows: int, num_tokens: int
) -> list[float]:
    """Seconds of each step of one generation: the prompt's (one step, if it fits), then decodes."""
    scheduler = Scheduler(options, loaded.eos_token_ids)
    length = max(1, min(num_rows, options.step_rows, options.longest_sequence - num_tokens))
    prompt = tuple(position % loaded.info.vocab_size for position in range(length))
    sampling = SamplingParams(max_tokens=num_tokens, temperature=0.0, ignore_eos=True, seed=0)
    request = GenerationRequest(request_id=WARM_UP, prompt_ids=prompt, sampling=sampling)
    scheduler.submit(0, request, 0.0)
    seconds = []
    while scheduler.has_work:
        started = time.perf_counter()
        plan = scheduler.next(0.0)
        scheduler.commit(plan, loaded.runner.run(plan))
        seconds.append(time.perf_counter() - started)
    scheduler.check_integrity()
    for output in scheduler.take_outputs():
        if isinstance(output.event, EngineError):
            raise output.event
    loaded.runner.forward_seconds = loaded.runner.sampling_seconds = 0.0
    return seconds
