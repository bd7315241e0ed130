"""Turns a plan into tensors, runs the network and the sampler, and turns tokens into results.

The one place in the engine's loop that touches torch. Knows no queues and no deadlines.
"""

import logging
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.errors import EngineError, GrammarFailed, NumericError, OutOfMemory
from engine.prompt_scores import Scores, drawn_logits, num_logits, score_prompts
from engine.request import TokenLogprob
from engine.sequence import suppressed_token_ids
from engine.step import (
    Chunk,
    ChunkResult,
    NewToken,
    PromptScores,
    StepFailed,
    StepPlan,
    StepResults,
)
from model_loader.rows import FlatBatch, Segment
from model_loader.state import HybridState
from sampling.sampler import (
    Drawn,
    NonFiniteLogits,
    NothingToDraw,
    Sampler,
    SamplerRow,
)

Network = Callable[[FlatBatch, HybridState], Tensor]
"""Advances the state by the batch's rows; returns logits (wanted rows, vocab) in segment order."""

logger = logging.getLogger(__name__)


class Runner:
    def __init__(
        self,
        network: Network,
        state: HybridState,
        sampler: Sampler,
        eos_token_ids: frozenset[int],
    ) -> None:
        self._network = network
        self._state = state
        self._sampler = sampler
        self._eos_token_ids = eos_token_ids
        self.forward_seconds = 0.0
        self.sampling_seconds = 0.0

    def run(self, plan: StepPlan) -> StepResults:
        """Compute one step. What it raises becomes a StepFailed: the scheduler finds the cause.

        Raises:
            torch.AcceleratorError: the device is unusable until the process is restarted.
        """
        try:
            return self._run(plan)
        except torch.AcceleratorError:
            raise
        except Exception as error:
            return _failure(error)

    def _run(self, plan: StepPlan) -> list[ChunkResult]:
        for slot in plan.reset_slots:
            self._state.reset(slot)
        segments = [_segment(chunk) for chunk in plan.chunks]
        batch = FlatBatch.build(segments, self._state.layout, self._state.device)
        started = time.perf_counter()
        logits = self._network(batch, self._state)
        computed = time.perf_counter()
        drawing = [chunk for chunk in plan.chunks if chunk.wants_token]
        drawn = iter(self._draw(drawn_logits(logits, plan.chunks), drawing))
        results = [
            _with_scores(scores, next(drawn) if chunk.wants_token else None)
            for chunk, scores in zip(plan.chunks, score_prompts(logits, plan.chunks), strict=True)
        ]
        self.forward_seconds += computed - started
        self.sampling_seconds += time.perf_counter() - computed
        return results

    def _draw(self, logits: Tensor, chunks: Sequence[Chunk]) -> list[NewToken | EngineError]:
        if not chunks:
            return []
        rows = [self._sampler_row(chunk) for chunk in chunks]
        return [_result(token) for token in self._sampler.sample(logits, rows)]

    def _sampler_row(self, chunk: Chunk) -> SamplerRow:
        sequence = chunk.sequence
        sampling = sequence.request.sampling
        if sampling.seed is None:
            raise ValueError("a request reaches the runner with its seed chosen")
        return SamplerRow(
            params=sampling,
            seed=sampling.seed,
            choice=sequence.choice,
            position=sequence.num_generated,
            history=sequence.history,
            suppressed_ids=tuple(suppressed_token_ids(sequence, self._eos_token_ids)),
            next_ids=sequence.matcher.next_ids if sequence.matcher else None,
        )


def _segment(chunk: Chunk) -> Segment:
    sequence = chunk.sequence
    return Segment(
        slot=sequence.slot,
        start=chunk.start,
        token_ids=sequence.tokens[chunk.start : chunk.stop],
        pages=sequence.pages,
        num_logits=num_logits(chunk),
    )


def _with_scores(scores: Scores, drawn: NewToken | EngineError | None) -> ChunkResult:
    if isinstance(scores, EngineError):
        return scores
    if not scores or isinstance(drawn, EngineError):
        return drawn
    return PromptScores(scores, drawn)


def _result(drawn: Drawn) -> NewToken | EngineError:
    if isinstance(drawn, NothingToDraw):
        return GrammarFailed("no token is left that this request allows")
    if isinstance(drawn, NonFiniteLogits):
        return NumericError("the model's output for this request is not finite")
    top = tuple(TokenLogprob(token_id, logprob) for token_id, logprob in drawn.top_logprobs)
    return NewToken(token_id=drawn.token_id, logprob=drawn.logprob, top_logprobs=top)


def _failure(error: Exception) -> StepFailed:
    logger.error("a step of the model failed", exc_info=error)
    is_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if is_memory or "can't allocate memory" in str(error):  # torch's CPU allocator has no own type
        return StepFailed(OutOfMemory("not enough memory to compute this request"))
    return StepFailed(EngineError("the model could not compute this request"))
