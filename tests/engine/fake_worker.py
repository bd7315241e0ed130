"""The real worker on the fake model, as its own process. The checkpoint says how to misbehave.

`fake:step=0.01,load=0.2,die_at=5`: seconds of each step and of loading; the step of sudden death.
Steps are counted from the first that serves a request: how many the warm-up takes depends on how
long they take.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable

from engine.interface import EngineInfo
from engine.options import EngineOptions
from engine.step import StepPlan, StepResults
from engine.warm_up import WARM_UP, Loaded
from engine.worker import run_worker
from model_loader.errors import CorruptWeights
from tests.engine.fakes import EOS, VOCAB_SIZE, FakeRunner, vocabulary
from tests.engine.local_grammars import LocalGrammars


class MisbehavingRunner(FakeRunner):
    def __init__(self, options: EngineOptions, faults: dict[str, float]) -> None:
        super().__init__(options)
        self._faults = faults
        self._num_steps = 0

    def run(self, plan: StepPlan) -> StepResults:
        if all(chunk.sequence.request.request_id == WARM_UP for chunk in plan.chunks):
            return super().run(plan)
        self._num_steps += 1
        time.sleep(self._faults.get("step", 0.0))
        if self._num_steps == self._faults.get("die_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._num_steps > 1:
            time.sleep(self._faults.get("hang", 0.0))
        return super().run(plan)


def load(options: EngineOptions, progress: Callable[[float], None]) -> Loaded:
    _, _, text = options.checkpoint.partition(":")
    faults = {
        name: float(value) for name, value in (item.split("=") for item in text.split(",") if item)
    }
    for percent in range(101):
        time.sleep(faults.get("load", 0.0) / 100)
        progress(percent / 100)
    if "corrupt" in faults:
        raise CorruptWeights("model.safetensors: a tensor is missing")
    if "die_loading" in faults:
        os.kill(os.getpid(), signal.SIGKILL)
    info = EngineInfo(
        dtype="fp32",
        device="cpu",
        num_parameters=0,
        weight_bytes=0,
        state_bytes=0,
        context_length=options.longest_sequence,
        vocab_size=VOCAB_SIZE,
        num_slots=options.num_slots,
    )
    runner = MisbehavingRunner(options, faults)
    return Loaded(runner, info, frozenset({EOS}), LocalGrammars(vocabulary))


if __name__ == "__main__":
    sys.exit(run_worker(socket.socket(fileno=int(sys.argv[1])), load))
