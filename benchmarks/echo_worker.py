"""A worker without a model: every sequence repeats its prompt, a token a step, at a steady pace.

It is the real worker's loop, so the API process gets the messages that it always gets. The
checkpoint's name is the pace: `echo:0.01` is a step every 10 ms, `echo:0` as fast as they go.
"""

import socket
import sys
import time
from collections.abc import Callable

from engine.grammars.nursery import nursery_command
from engine.grammars.processes import GrammarProcesses
from engine.interface import EngineInfo
from engine.options import EngineOptions
from engine.step import NewToken, StepPlan, StepResults
from engine.warm_up import Loaded
from engine.worker import run_worker

VOCAB_SIZE = 100_352
"""Granite's: no prompt has an id beyond it."""


class EchoRunner:
    forward_seconds = 0.0
    sampling_seconds = 0.0

    def __init__(self, step_seconds: float) -> None:
        self._step_seconds = step_seconds

    def run(self, plan: StepPlan) -> StepResults:
        time.sleep(self._step_seconds)
        return [
            NewToken(token_id=_echo(chunk.sequence.tokens, len(chunk.sequence.request.prompt_ids)))
            if chunk.wants_token
            else None
            for chunk in plan.chunks
        ]


def _echo(tokens: list[int], prompt_length: int) -> int:
    return tokens[len(tokens) - prompt_length]


def load(options: EngineOptions, _progress: Callable[[float], None]) -> Loaded:
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
    _, _, seconds = options.checkpoint.partition(":")
    # An echo follows no grammar: one that comes finds no tokenizer, and fails.
    grammars = GrammarProcesses(nursery_command(options.checkpoint, options.grammar_seconds))
    return Loaded(EchoRunner(float(seconds)), info, frozenset(), grammars)


if __name__ == "__main__":
    sys.exit(run_worker(socket.socket(fileno=int(sys.argv[-1])), load))
