"""Has constraints compiled in another process, each once at a time, and remembers the outcomes."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from engine.errors import QueueFull
from model_loader.tokenizer import Tokenizer
from server.constraints import Constraint
from server.grammars.errors import CheckerGone
from server.grammars.messages import Accepted, Refused, Vocabulary
from server.grammars.process import CheckerProcess

TOO_COMPLEX = Refused("too complex to be compiled")
MAX_FLIGHTS = 64
SECONDS_OF_REFUSAL = 30.0
"""How long what took too long is not tried again: it may have been for want of a free processor."""
MAX_KNOWN = 256
MAX_KNOWN_BYTES = 8 * 2**20


@dataclass(slots=True, eq=False)
class _Flight:
    """A constraint on its way through the other process, and how many wait for it."""

    task: asyncio.Task[Accepted | Refused]
    num_waiting: int = 0


class ConstraintCompiler:
    """One process, started for the first constraint and again after each that was too much for it.

    All methods are called from one event loop.
    """

    def __init__(self, tokenizer: Tokenizer, seconds: float) -> None:
        """`seconds` is how long one constraint may take."""
        self._tokenizer = tokenizer
        self._seconds = seconds
        self._lane = asyncio.Lock()
        self._checker: CheckerProcess | None = None
        self._flights: dict[Constraint, _Flight] = {}
        self._refused_at: dict[Constraint, float] = {}
        self._known: OrderedDict[Constraint, Accepted | Refused] = OrderedDict()
        self._num_known_bytes = 0

    async def compile(self, constraint: Constraint) -> Accepted | Refused:
        """The source for the engine, or why there is none. If all who wait go, so does the work.

        Raises:
            QueueFull: too many different constraints are waiting.
            CheckerGone: there is no process to do it.
        """
        if constraint in self._known:
            self._known.move_to_end(constraint)
            return self._known[constraint]
        self._forget_refusals()
        if constraint in self._refused_at:
            return TOO_COMPLEX
        flight = self._flights.get(constraint) or self._begin(constraint)
        flight.num_waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.num_waiting -= 1
            if flight.num_waiting == 0:
                del self._flights[constraint]
                flight.task.cancel()

    async def close(self) -> None:
        """End the process. Whoever waits is cancelled."""
        for flight in self._flights.values():
            flight.task.cancel()
        async with self._lane:
            if self._checker is not None:
                await self._checker.end()
                self._checker = None

    def _begin(self, constraint: Constraint) -> _Flight:
        if len(self._flights) >= MAX_FLIGHTS:
            raise QueueFull("too many grammars are waiting to be compiled")
        flight = _Flight(asyncio.create_task(self._check(constraint)))
        self._flights[constraint] = flight
        return flight

    async def _check(self, constraint: Constraint) -> Accepted | Refused:
        async with self._lane:
            checker = await self._take_checker()
            try:
                answer = await checker.check(constraint, self._seconds)
            except CheckerGone:
                await checker.end()
                self._refused_at[constraint] = time.monotonic()
                return TOO_COMPLEX
            except BaseException:
                await checker.end()
                raise
            self._checker = checker
        self._remember(constraint, answer)
        return answer

    async def _take_checker(self) -> CheckerProcess:
        """It is given back only if it comes to an answer."""
        checker, self._checker = self._checker, None
        if checker is not None and checker.is_alive:
            return checker
        if checker is not None:
            await checker.end()
        vocabulary = await asyncio.to_thread(_vocabulary_of, self._tokenizer)
        return await CheckerProcess.spawn(vocabulary)

    def _forget_refusals(self) -> None:
        """Few are made in that time, as each takes long."""
        until = time.monotonic() - SECONDS_OF_REFUSAL
        self._refused_at = {key: at for key, at in self._refused_at.items() if at > until}

    def _remember(self, constraint: Constraint, answer: Accepted | Refused) -> None:
        self._known[constraint] = answer
        self._num_known_bytes += _size(constraint, answer)
        while len(self._known) > MAX_KNOWN or self._num_known_bytes > MAX_KNOWN_BYTES:
            self._num_known_bytes -= _size(*self._known.popitem(last=False))


def _vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    return Vocabulary(
        token_bytes=[tokenizer.token_bytes(token_id) for token_id in range(tokenizer.vocab_size)],
        control_tokens=dict(tokenizer.control_tokens),
        eos_ids=list(tokenizer.eos_ids),
    )


def _size(constraint: Constraint, answer: Accepted | Refused) -> int:
    return len(msgspec.msgpack.encode(constraint)) + len(msgspec.msgpack.encode(answer))
