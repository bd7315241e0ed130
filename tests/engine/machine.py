"""One engine without a process: a scheduler and a runner over a real random network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.grammars.interface import Grammar
from engine.options import EngineOptions
from engine.outputs import Output
from engine.request import GenerationRequest, TokenEvent
from engine.runner import Network, Runner
from engine.scheduler import Scheduler
from model_loader.load import LoadedModel
from model_loader.state import HybridState
from sampling.sampler import Sampler
from tests.engine.fakes import follow_grammars, make_request, small_options

EOS = frozenset({257})


@dataclass
class Machine:
    scheduler: Scheduler
    runner: Runner
    state: HybridState

    def run(
        self, requests: dict[int, GenerationRequest], grammar: Grammar | None = None
    ) -> list[Output]:
        """All outputs; every request follows the grammar, if there is one."""
        for generation, request in requests.items():
            self.scheduler.submit(generation, request, 0.0, grammar)
        outputs: list[Output] = []
        for _ in range(500):
            follow_grammars(self.scheduler)
            plan = self.scheduler.next(0.0)
            self.scheduler.commit(plan, self.runner.run(plan))
            follow_grammars(self.scheduler)
            self.scheduler.check_integrity()
            outputs += self.scheduler.take_outputs()
            if not self.scheduler.has_work:
                return outputs
        raise AssertionError("still busy after 500 steps")

    def poison(self) -> None:
        """Fill all state and pages with what must never be read."""
        for tensor in vars(self.state).values():
            if isinstance(tensor, Tensor):
                tensor.fill_(torch.nan)


def real_options(**changes: object) -> EngineOptions:
    """The network wants pages of whole attention tiles."""
    return small_options(**{"page_length": 16, "num_pages": 32, "context_length": 128, **changes})


def make(model: LoadedModel, network: Network | None = None, **changes: object) -> Machine:
    options = real_options(**changes)
    state = HybridState(
        model.config,
        num_slots=options.num_slots,
        num_pages=options.num_pages,
        page_length=options.page_length,
        block_length=16,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    runner = Runner(network or model.network, state, Sampler(), EOS)
    return Machine(Scheduler(options, EOS), runner, state)


def drawing(prompt: tuple[int, ...], max_tokens: int = 12, **sampling: object) -> GenerationRequest:
    """Every token with its log-probability: two runs that agree on these have computed the same."""
    return make_request(prompt, max_tokens, logprobs=0, **sampling)  # type: ignore[arg-type]  # real names


def reply_of(outputs: list[Output], generation: int, choice: int = 0) -> list[tuple[int, float]]:
    events = [output.event for output in outputs if output.generation == generation]
    return [
        (event.token_id, event.logprob)
        for event in events
        if isinstance(event, TokenEvent) and event.choice == choice and event.logprob is not None
    ]
