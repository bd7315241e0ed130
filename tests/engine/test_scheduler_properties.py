"""Any history of submits, cancels, steps and failures conserves memory and ends every request
exactly once.
"""

from itertools import cycle

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from llguidance import LLMatcher

from engine.errors import EngineError
from engine.grammars.interface import Grammar
from engine.outputs import Cancelled, Output
from engine.request import ChoiceEnded, GenerationRequest, TokenEvent
from engine.scheduler import Scheduler
from engine.step import StepFailed
from sampling.grammar import compile_grammar
from sampling.grammar_matcher import GrammarMatcher
from tests.engine.fakes import (
    EOS,
    FakeRunner,
    follow_grammars,
    make_request,
    run_until_idle,
    scores_of,
    small_options,
    solo_outputs,
    tokens_of,
    vocabulary,
)
from tests.engine.local_grammars import LocalGrammar

NUM_SLOTS = 3
NUM_PAGES = 9
VOCABULARY = vocabulary()
BEGINNINGS = [
    GrammarMatcher(compile_grammar(source, VOCABULARY), VOCABULARY)
    for source in (
        LLMatcher.grammar_from_regex("[abc](, name: [ab]){2,}(the end|!)"),
        LLMatcher.grammar_from_regex("a long text with only one end, and that is soon[.!]"),
        LLMatcher.grammar_from_json_schema('{"type": "object"}'),
    )
]


class SchedulerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        options = small_options(
            num_slots=NUM_SLOTS,
            num_pages=NUM_PAGES,
            step_rows=6,
            context_length=36,
            max_preemptions=2,
            queue_timeout_seconds=30.0,
            request_timeout_seconds=90.0,
        )
        self.scheduler = Scheduler(options, frozenset({EOS}))
        self.runner = FakeRunner(options)
        self.requests: dict[int, GenerationRequest] = {}
        self.grammars: dict[int, Grammar | None] = {}
        self.delays = cycle((0, 0, 3, 0, 1, 0, 0, 12, 0))
        self.outputs: list[Output] = []
        self.now = 0.0

    @rule(
        length=st.integers(1, 34),
        max_tokens=st.integers(0, 40),
        num_choices=st.integers(1, 3),
        client=st.sampled_from("abc"),
        prompt_logprobs=st.sampled_from([None, 0]),
        logprobs=st.sampled_from([None, 0]),
        beginning=st.sampled_from([None, None, *BEGINNINGS]),
        is_slow=st.booleans(),
        is_background=st.booleans(),
    )
    def submit(
        self,
        length: int,
        max_tokens: int,
        num_choices: int,
        client: str,
        prompt_logprobs: int | None,
        logprobs: int | None,
        beginning: GrammarMatcher | None,
        is_slow: bool,
        is_background: bool,
    ) -> None:
        generation = len(self.requests)
        prompt = tuple(range(generation + 1, generation + 1 + length))
        request = make_request(
            prompt,
            max_tokens,
            num_choices=num_choices,
            client=client,
            prompt_logprobs=prompt_logprobs,
            logprobs=logprobs,
            is_background=is_background,
        )
        self.requests[generation] = request
        self.grammars[generation] = LocalGrammar(beginning) if beginning else None
        slow = LocalGrammar(beginning, lambda: next(self.delays)) if beginning else None
        grammar = slow if is_slow else self.grammars[generation]
        assert self.scheduler.submit(generation, request, self.now, grammar)

    @rule(pick=st.integers(0, 100))
    def cancel(self, pick: int) -> None:
        if self.requests:
            self.scheduler.cancel(pick % len(self.requests))

    @rule(num_steps=st.integers(1, 5), fails=st.sampled_from([False] * 9 + [True]))
    def step(self, num_steps: int, fails: bool) -> None:
        for _ in range(num_steps):
            follow_grammars(self.scheduler)
            plan = self.scheduler.next(self.now)
            rows = sum(chunk.stop - chunk.start for chunk in plan.chunks)
            assert rows <= 6
            assert rows > 0 or not any(sequence.is_ready for sequence in self.scheduler.running)
            results = self.runner.run(plan)  # also what fails has touched the state
            self.scheduler.commit(plan, StepFailed(EngineError("boom")) if fails else results)
            follow_grammars(self.scheduler)

    @rule(seconds=st.floats(0, 20))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def memory_is_conserved_and_never_shared(self) -> None:
        self.scheduler.check_integrity()
        running = self.scheduler.running
        pages = [page for sequence in running for page in sequence.pages]
        assert len(set(pages)) == len(pages)
        assert len(pages) + self.scheduler.memory.pages.num_free == NUM_PAGES
        slots = {sequence.slot for sequence in running}
        assert len(slots) == len(running) == NUM_SLOTS - self.scheduler.memory.slots.num_free

    @invariant()
    def no_choice_has_two_ends(self) -> None:
        self.outputs += self.scheduler.take_outputs()
        for generation, request in self.requests.items():
            assert len(self.ends(generation)) <= request.num_choices

    def ends(self, generation: int) -> list[object]:
        """Finish reasons of single choices, then whatever ended the generation as a whole."""
        events = [o.event for o in self.outputs if o.generation == generation]
        finished = [
            event.choice
            for event in events
            if isinstance(event, TokenEvent | ChoiceEnded) and event.finish_reason
        ]
        assert len(set(finished)) == len(finished)
        whole = [event for event in events if isinstance(event, EngineError | Cancelled)]
        assert len(whole) <= 1
        assert not whole or events[-1] is whole[0]
        return [*finished, *whole]

    def teardown(self) -> None:
        self.outputs += run_until_idle(self.scheduler, self.runner)
        self.scheduler.check_integrity()
        assert self.scheduler.memory.slots.num_free == NUM_SLOTS
        assert self.scheduler.memory.pages.num_free == NUM_PAGES
        for generation, request in self.requests.items():
            ends = self.ends(generation)
            whole = any(isinstance(end, EngineError | Cancelled) for end in ends)
            assert whole or len(ends) == request.num_choices
            solo = solo_outputs(request, self.grammars[generation])
            for choice in range(request.num_choices):
                tokens = tokens_of(self.outputs, generation, choice)
                assert tokens == tokens_of(solo, 1, choice)[: len(tokens)]
                scores = scores_of(self.outputs, generation, choice)
                assert scores == scores_of(solo, 1, choice)[: len(scores)]
                if request.prompt_logprobs is not None and not whole:
                    assert [score.token_id for score in scores] == list(request.prompt_ids[1:])


SchedulerMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
TestAnyHistory = SchedulerMachine.TestCase
