"""A model without tensors: the next token is a digest of what is found in the sequence's slot and
pages.

A stale slot, a foreign page or a row computed twice changes every token that follows.
"""

from zlib import crc32

import numpy as np

from engine.errors import EngineError
from engine.grammars.interface import Grammar
from engine.options import EngineOptions
from engine.outputs import Output
from engine.request import GenerationRequest, PromptLogprobs, ScoredToken, TokenEvent
from engine.scheduler import Scheduler
from engine.step import Chunk, ChunkResult, NewToken, PromptScores, StepPlan, StepResults
from sampling.grammar import GrammarVocabulary
from sampling.params import SamplingParams
from tests.byte_vocabulary import END, byte_vocabulary

VOCAB_SIZE = 1000
EOS = END


class FakeRunner:
    forward_seconds = 0.0
    sampling_seconds = 0.0

    def __init__(self, options: EngineOptions) -> None:
        self._page_length = options.page_length
        self._slots = dict.fromkeys(range(options.num_slots), 0xDEAD)
        self._rows = dict.fromkeys(range(options.num_pages * options.page_length), 0xDEAD)

    def run(self, plan: StepPlan) -> StepResults:
        for slot in plan.reset_slots:
            self._slots[slot] = 0
        return [self._compute(chunk) for chunk in plan.chunks]

    def _compute(self, chunk: Chunk) -> ChunkResult:
        sequence = chunk.sequence
        rows = [
            page * self._page_length + offset
            for page in sequence.pages
            for offset in range(self._page_length)
        ]
        scores = []
        for position in range(chunk.start, chunk.stop):
            state = (self._slots[sequence.slot], sequence.tokens[position])
            self._slots[sequence.slot] = crc32(repr(state).encode())
            self._rows[rows[position]] = sequence.tokens[position]
            if position in chunk.scored_rows:
                rank = 1 + self._slots[sequence.slot] % VOCAB_SIZE
                scores.append(ScoredToken(sequence.tokens[position + 1], -0.5, rank))
        drawn = self._draw(chunk, rows) if chunk.wants_token else None
        return PromptScores(tuple(scores), drawn) if scores else drawn

    def _draw(self, chunk: Chunk, rows: list[int]) -> NewToken:
        sequence = chunk.sequence
        read = [self._rows[row] for row in rows[: chunk.stop]]
        seen = (self._slots[sequence.slot], read, sequence.request.sampling.seed, sequence.choice)
        digest = crc32(repr(seen).encode())
        if sequence.matcher is None:
            return NewToken(token_id=1 + digest % (VOCAB_SIZE - 1))
        allowed = sequence.matcher.next_ids
        ids = [allowed] if isinstance(allowed, int) else np.flatnonzero(allowed)
        return NewToken(token_id=int(ids[digest % len(ids)]))


def vocabulary() -> GrammarVocabulary:
    return byte_vocabulary(VOCAB_SIZE)


def small_options(**changes: object) -> EngineOptions:
    values: dict[str, object] = {
        "checkpoint": "fake",
        "num_slots": 4,
        "num_pages": 16,
        "page_length": 4,
        "step_rows": 16,
        "context_length": 48,
        **changes,
    }
    return EngineOptions(**values)  # type: ignore[arg-type]  # the tests name real fields


def make_request(
    prompt: tuple[int, ...] = (1, 2, 3),
    max_tokens: int = 5,
    *,
    client: str = "",
    num_choices: int = 1,
    prompt_logprobs: int | None = None,
    grammar: str | None = None,
    is_background: bool = False,
    **sampling: object,
) -> GenerationRequest:
    values: dict[str, object] = {"seed": 7, **sampling, "max_tokens": max_tokens}
    params = SamplingParams(**values)  # type: ignore[arg-type]  # the tests name real fields
    return GenerationRequest(
        request_id="test",
        prompt_ids=prompt,
        sampling=params,
        num_choices=num_choices,
        client=client,
        prompt_logprobs=prompt_logprobs,
        grammar=grammar,
        is_background=is_background,
    )


def follow_grammars(scheduler: Scheduler) -> None:
    while scheduler.extend():
        pass


def run_step(scheduler: Scheduler, runner: FakeRunner, now: float = 0.0) -> list[Output]:
    """One turn of the engine, with every book checked after it."""
    follow_grammars(scheduler)
    plan = scheduler.next(now)
    scheduler.commit(plan, runner.run(plan))
    follow_grammars(scheduler)
    scheduler.check_integrity()
    return scheduler.take_outputs()


def run_until_idle(scheduler: Scheduler, runner: FakeRunner, max_steps: int = 2000) -> list[Output]:
    outputs: list[Output] = []
    for _ in range(max_steps):
        if not scheduler.has_work:
            return outputs
        outputs += run_step(scheduler, runner)
    raise AssertionError(f"still busy after {max_steps} steps")


def tokens_of(outputs: list[Output], generation: int, choice: int = 0) -> list[int]:
    events = [output.event for output in outputs if output.generation == generation]
    return [e.token_id for e in events if isinstance(e, TokenEvent) and e.choice == choice]


def scores_of(outputs: list[Output], generation: int, choice: int = 0) -> list[ScoredToken]:
    """All prompt tokens scored so far, each of them exactly in its place."""
    scores: list[ScoredToken] = []
    for output in outputs:
        event = output.event
        if output.generation == generation and isinstance(event, PromptLogprobs):
            if event.choice == choice:
                assert event.position == 1 + len(scores)
                scores += event.tokens
    return scores


def error_of(outputs: list[Output], generation: int) -> EngineError | None:
    for output in outputs:
        if output.generation == generation and isinstance(output.event, EngineError):
            return output.event
    return None


def solo_tokens(request: GenerationRequest, choice: int = 0) -> list[int]:
    """What the request yields with the whole machine to itself."""
    return tokens_of(solo_outputs(request), 1, choice)


def solo_outputs(request: GenerationRequest, grammar: Grammar | None = None) -> list[Output]:
    """All news of the request, as generation 1, with the whole machine to itself."""
    options = small_options(num_slots=16, num_pages=64, step_rows=1024)
    scheduler = Scheduler(options, frozenset({EOS}))
    scheduler.submit(1, request, 0.0, grammar)
    return run_until_idle(scheduler, FakeRunner(options))
