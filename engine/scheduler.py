"""Which rows of which sequences the next step computes, and what becomes of the results.

Plain Python: no tensors, no clock (times are passed in), no threads. Knows ids, never text.
"""

import math
from collections.abc import Sequence as ReadOnlySequence
from dataclasses import dataclass

from engine.allocator import AllocationError
from engine.decode_rows import decode_rows
from engine.errors import DeadlineExceeded, EngineError, GrammarFailed, OutOfMemory, QueueTimeout
from engine.grammars.interface import Grammar
from engine.memory import SequenceMemory
from engine.options import EngineOptions
from engine.outputs import Cancelled, Output
from engine.prompt_rows import prompt_rows
from engine.request import GenerationEvent, GenerationRequest, PrefillProgress, PromptLogprobs
from engine.sequence import Phase, Sequence
from engine.step import (
    Chunk,
    ChunkResult,
    NewToken,
    PromptScores,
    StepFailed,
    StepPlan,
    StepResults,
)
from engine.token_events import ReplyEvents, append_drawn, append_forced, foresee
from engine.waiting import WaitingRoom

DECODE_SHARE_OF_BUSY_STEP = 0.75
"""Most of a step that decoding takes while prompts are unread; binds if slots outnumber rows."""
MOST_PROMPTS_WAITED_FOR = 4
"""One unread prompt may slow replies as measured, and so many of them so many times as much."""


@dataclass(slots=True)
class _Generation:
    sequences: list[Sequence]
    submitted_at: float
    is_started: bool = False


class Scheduler:
    """Decode first, then prefill in the rows left; the oldest sequence always advances.

    When pages run out, the youngest running sequence gives everything back and starts again later
    from its prompt and what it has generated. Background sequences count as the youngest and give
    way to whoever waits for a slot, too. Outputs collect until `take_outputs`.
    """

    def __init__(
        self,
        options: EngineOptions,
        eos_token_ids: frozenset[int],
        rows_beside_decode: int | None = None,
    ) -> None:
        """`rows_beside_decode`: the most rows of one prompt in a step in which others decode."""
        self._options = options
        self._rows_beside_decode = rows_beside_decode or options.step_rows
        self._ends = (eos_token_ids, options.longest_sequence)
        self.memory = SequenceMemory(options.num_slots, options.num_pages, options.page_length)
        self.waiting = WaitingRoom()
        self.running: list[Sequence] = []
        self.num_preemptions = 0
        self.num_steps = 0
        self._generations: dict[int, _Generation] = {}
        self._num_arrivals = 0
        self._outputs: list[Output] = []

    @property
    def has_work(self) -> bool:
        return bool(self._generations)

    def submit(
        self,
        generation: int,
        request: GenerationRequest,
        now: float,
        grammar: Grammar | None = None,
    ) -> bool:
        """Queue every choice of a request. False if that generation number is already in use."""
        if generation in self._generations:
            return False
        sequences = [
            Sequence(
                generation=generation,
                choice=choice,
                arrival=self._num_arrivals + choice,
                request=request,
                matcher=grammar.new_matcher() if grammar else None,
            )
            for choice in range(request.num_choices)
        ]
        self._num_arrivals += len(sequences)
        self._generations[generation] = _Generation(sequences, now)
        for sequence in sequences:
            foresee(sequence, *self._ends)
            self.waiting.append(sequence)
        return True

    def cancel(self, generation: int) -> bool:
        """End a generation in any phase. False if it is unknown or has ended, which is no error."""
        if generation not in self._generations:
            return False
        self._end(generation, Cancelled())
        return True

    def next(self, now: float) -> StepPlan:
        """Plan one step. An empty plan is possible: all work may have just expired."""
        self._expire(now)
        suspects = [s for s in self.running if s.is_ready and s.is_suspect]
        chunks = self._plan_alone(suspects[0]) if suspects else self._plan_together()
        # Making room for a later chunk may have preempted the sequence of an earlier one.
        chunks = [chunk for chunk in chunks if chunk.sequence.phase is Phase.RUNNING]
        self.num_steps += 1
        for chunk in chunks:
            chunk.sequence.last_step = self.num_steps
        resets = tuple(chunk.sequence.slot for chunk in chunks if chunk.start == 0)
        return StepPlan(tuple(chunks), resets)

    def commit(self, plan: StepPlan, results: StepResults) -> None:
        """Take in what the step computed: new tokens, ends, failures."""
        if isinstance(results, StepFailed):
            self._isolate(plan.chunks, results.error)
            return
        for chunk, result in zip(plan.chunks, results, strict=True):
            # A sibling choice that failed in this step has ended the whole generation.
            if chunk.sequence.phase is Phase.RUNNING:
                self._commit_chunk(chunk, result)

    def extend(self) -> bool:
        """Take in what grammars have found since; False if that is no further token."""
        before = len(self._outputs)
        for sequence in [s for state in self._generations.values() for s in state.sequences]:
            if sequence.phase is not Phase.ENDED:
                self._take_in(sequence, append_forced(sequence, *self._ends))
        return len(self._outputs) > before

    def take_outputs(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs

    def check_integrity(self) -> None:
        """Compare all books with each other; cheap enough for whenever the engine is idle.

        Raises:
            AllocationError: memory is lost, shared or held by a sequence that is not running.
        """
        self.memory.check_integrity(self.running)
        listed = [*self.running, *self.waiting]
        known = (s for state in self._generations.values() for s in state.sequences)
        alive = [s for s in known if s.phase is not Phase.ENDED]
        if len(listed) != len(alive) or set(listed) != set(alive):
            raise AllocationError("the queues do not hold exactly the unfinished sequences")
        if any((s.phase is Phase.RUNNING) != (s in self.running) for s in alive):
            raise AllocationError("a sequence is in the queue of another phase")

    def _expire(self, now: float) -> None:
        for generation, state in list(self._generations.items()):
            age = now - state.submitted_at
            if age > self._options.request_timeout_seconds:
                self._end(generation, DeadlineExceeded(f"not finished after {age:.0f} s"))
            elif age > self._options.queue_timeout_seconds and not state.is_started:
                self._end(generation, QueueTimeout(f"not started after {age:.0f} s"))

    def _plan_together(self) -> list[Chunk]:
        chunks = self._plan_decodes()
        self._admit()
        budget = self._options.step_rows - sum(chunk.stop - chunk.start for chunk in chunks)
        if chunks:
            unread = sum(not (s.is_decoding or s.is_background) for s in self.running)
            patience = max(1, min(unread, MOST_PROMPTS_WAITED_FOR))
            budget = min(budget, self._rows_beside_decode * patience)
        return chunks + self._plan_prefills(budget)

    def _plan_alone(self, suspect: Sequence) -> list[Chunk]:
        """Try one sequence of a step that raised: if it raises again, it is the culprit."""
        ((_, rows),) = prompt_rows([suspect], self._options.step_rows)
        return self._plan_chunk(suspect, rows)

    def _plan_decodes(self) -> list[Chunk]:
        decoding = [sequence for sequence in self.running if sequence.is_decoding]
        limit = self._options.step_rows
        if len(decoding) < len(self.running) or self.waiting.head():
            limit = math.ceil(limit * DECODE_SHARE_OF_BUSY_STEP)
        shares = decode_rows((sequence for sequence in decoding if sequence.is_ready), limit)
        # Oldest first, so that making room never takes a sequence that is already planned.
        by_age = sorted(shares, key=lambda share: share[0].seniority)
        return [chunk for sequence, rows in by_age for chunk in self._plan_chunk(sequence, rows)]

    def _plan_prefills(self, budget: int) -> list[Chunk]:
        prefilling = [s for s in self.running if s.is_ready and not s.is_decoding]
        prefilling.sort(key=lambda sequence: sequence.seniority)
        shares = prompt_rows(prefilling, budget)
        return [chunk for sequence, rows in shares for chunk in self._plan_chunk(sequence, rows)]

    def _plan_chunk(self, sequence: Sequence, rows: int) -> list[Chunk]:
        """The next rows of a sequence, with pages to hold them; empty if it had to give way."""
        if rows == 0 or sequence.phase is not Phase.RUNNING:
            return []
        stop = sequence.num_computed + rows
        while self.memory.missing_pages(sequence, stop) > self.memory.pages.num_free:
            self._preempt(max(self.running, key=lambda other: other.seniority))
            if sequence.phase is not Phase.RUNNING:
                return []
        self.memory.grow(sequence, stop)
        return [Chunk(sequence, sequence.num_computed, stop)]

    def _admit(self) -> None:
        """Start waiting sequences in turn. The head blocks the line, or long prompts starve."""
        while (head := self.waiting.head()) and self._has_room(head):
            self.waiting.pop_head()
            self.memory.start(head)
            self.running.append(head)
            self._generations[head.generation].is_started = True

    def _has_room(self, head: Sequence) -> bool:
        """Whether the head can start now, if need be in the place of background sequences."""
        while not self.memory.fits(head, self.running):
            youngest = max(self.running, key=lambda other: other.seniority)
            if head.is_background or not youngest.is_background:
                return False
            self._preempt(youngest)
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self.num_preemptions += 1
        sequence.num_preemptions += 1
        if sequence.num_preemptions > self._options.max_preemptions:
            message = f"made room for older requests {self._options.max_preemptions} times"
            self._end(sequence.generation, OutOfMemory(message))
            return
        self.running.remove(sequence)
        self.memory.release(sequence, Phase.WAITING)
        self.waiting.put_back(sequence)

    def _isolate(self, chunks: ReadOnlySequence[Chunk], error: EngineError) -> None:
        """Blame the only sequence of a failed step; of several, start all again, each alone."""
        if len(chunks) == 1:
            self._end(chunks[0].sequence.generation, error)
            return
        for chunk in chunks:
            chunk.sequence.num_computed = 0
            chunk.sequence.suspect_until = chunk.stop

    def _commit_chunk(self, chunk: Chunk, result: ChunkResult) -> None:
        sequence = chunk.sequence
        sequence.num_computed = chunk.stop
        if not sequence.has_begun:
            total = len(sequence.request.prompt_ids)
            self._tell(sequence, PrefillProgress(sequence.choice, min(chunk.stop, total), total))
        if isinstance(result, EngineError):
            self._end(sequence.generation, result)
            return
        if isinstance(result, PromptScores):
            position = chunk.scored_rows.start + 1
            self._tell(sequence, PromptLogprobs(sequence.choice, position, result.tokens))
            sequence.num_scored += len(result.tokens)
            result = result.drawn
        if isinstance(result, NewToken):
            self._take_in(sequence, append_drawn(sequence, result, *self._ends))

    def _take_in(self, sequence: Sequence, events: ReplyEvents) -> None:
        try:
            for event in events:
                self._tell(sequence, event)
                if event.finish_reason is not None:
                    self._finish(sequence)
                    return
        except GrammarFailed as error:
            self._end(sequence.generation, error)

    def _finish(self, sequence: Sequence) -> None:
        """End one choice; the generation ends with its last one."""
        self._discard(sequence)
        siblings = self._generations[sequence.generation].sequences
        if all(sibling.phase is Phase.ENDED for sibling in siblings):
            del self._generations[sequence.generation]

    def _tell(self, sequence: Sequence, event: GenerationEvent) -> None:
        self._outputs.append(Output(sequence.generation, event))

    def _end(self, generation: int, last: EngineError | Cancelled) -> None:
        for sequence in self._generations.pop(generation).sequences:
            self._discard(sequence)
        self._outputs.append(Output(generation, last))

    def _discard(self, sequence: Sequence) -> None:
        if sequence.matcher is not None and sequence.phase is not Phase.ENDED:
            sequence.matcher.close()
        if sequence.phase is Phase.RUNNING:
            self.running.remove(sequence)
            self.memory.release(sequence, Phase.ENDED)
        elif sequence.phase is Phase.WAITING:
            self.waiting.remove(sequence)
            sequence.phase = Phase.ENDED
