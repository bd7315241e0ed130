"""What grammars cost per step: `python -m benchmarks.masks` from the repository root.

Replies by a schema of ordinary size over Granite's vocabulary of 100,352, followed as the engine
does, in processes of their own; what they say is drawn at random. A step's cost is what the worker
waits for it between two steps of the model. The last line is one JSON document.
"""

import json
import random
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llguidance import LLMatcher

from benchmarks.granite_tokenizer import write_granite_tokenizer
from benchmarks.machine import describe_machine
from engine.grammars.interface import Matcher
from engine.grammars.nursery import nursery_command
from engine.grammars.processes import GrammarProcesses

ROWS = (1, 16)
NUM_STEPS = 300
NUM_WARM_UP_STEPS = 20
MOST_FORCED = 16
"""The engine takes so many forced ids at once."""
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskCost:
    """Medians and a 90th percentile in milliseconds, for all rows of a step together."""

    rows: int
    is_shared: bool
    step_ms: float
    step_ms_p90: float
    processor_ms_a_row: float
    forced_share: float


def schema(number: int) -> str:
    """Any two differ, as those of two applications would; the members do not."""
    item: dict[str, Any] = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 30},
            "kind": {"enum": ["planned", "running", "finished"]},
            "count": {"type": "integer", "minimum": 0, "maximum": 999},
        },
        "required": ["name", "kind", "count"],
        "additionalProperties": False,
    }
    form = {"type": "array", "items": item, "minItems": 10_000, "description": str(number)}
    options = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}
    return LLMatcher.grammar_from_json_schema(json.dumps({**form, "x-guidance": options}))


def measure(grammars: GrammarProcesses, rows: int, *, is_shared: bool) -> MaskCost:
    compiled = [grammars.compile(schema(0 if is_shared else row)) for row in range(rows)]
    matchers = [future.result().new_matcher() for future in compiled]
    choose = random.Random(0)
    steps: list[float] = []
    num_ids = num_forced = 0
    before = grammars.processor_seconds
    for _ in range(NUM_WARM_UP_STEPS + NUM_STEPS):
        drawn = [_draw(matcher, choose) for matcher in matchers]
        started = time.perf_counter()
        for matcher, token_id in zip(matchers, drawn, strict=True):
            matcher.accept(token_id)
        grammars.settle()
        forced = sum(_take_forced(matcher) for matcher in matchers)
        grammars.settle()
        steps.append(1000 * (time.perf_counter() - started))
        _wait(grammars, matchers)
        num_ids += rows + forced
        num_forced += forced
    for matcher in matchers:
        matcher.close()
    seconds = grammars.processor_seconds - before
    measured = steps[NUM_WARM_UP_STEPS:]
    return MaskCost(
        rows=rows,
        is_shared=is_shared,
        step_ms=round(statistics.median(measured), 3),
        step_ms_p90=round(statistics.quantiles(measured, n=10)[-1], 3),
        processor_ms_a_row=round(1000 * seconds / len(steps) / rows, 3),
        forced_share=round(num_forced / num_ids, 3),
    )


def _draw(matcher: Matcher, choose: random.Random) -> int:
    ids = matcher.next_ids
    return ids if isinstance(ids, int) else int(choose.choice(np.flatnonzero(ids)))


def _take_forced(matcher: Matcher) -> int:
    num_taken = 0
    while num_taken < MOST_FORCED - 1 and matcher.look():
        forced_id = matcher.forced_id
        if forced_id is None:
            break
        matcher.accept(forced_id)
        num_taken += 1
    return num_taken


def _wait(grammars: GrammarProcesses, matchers: list[Matcher]) -> None:
    """In the engine, whoever is not ready by then would sit the next step out."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all(matcher.look() for matcher in matchers):
        if time.monotonic() > deadline:
            raise TimeoutError("a grammar does not answer")
        grammars.wait(0.01)


def main() -> None:
    machine = describe_machine()
    print(machine.header())
    with tempfile.TemporaryDirectory() as folder:
        write_granite_tokenizer(Path(folder))
        grammars = GrammarProcesses(nursery_command(folder, 10.0))
        try:
            costs = [
                measure(grammars, rows, is_shared=is_shared)
                for rows in ROWS
                for is_shared in ((True,) if rows == 1 else (False, True))
            ]
        finally:
            grammars.close()
    print(
        f"{'rows':>5} {'forms':>6} {'ms a step':>10} {'p90':>7} {'cpu ms a row':>13} {'forced':>7}"
    )
    for cost in costs:
        forms = 1 if cost.is_shared else cost.rows
        print(
            f"{cost.rows:5} {forms:6} {cost.step_ms:10.2f} {cost.step_ms_p90:7.2f} "
            f"{cost.processor_ms_a_row:13.3f} {cost.forced_share:7.0%}"
        )
    document = {"benchmark": "masks", "machine": machine.as_json()}
    print(json.dumps({**document, "costs": [asdict(cost) for cost in costs]}))


if __name__ == "__main__":
    main()
