"""Has constraints compiled in other processes, each once at a time, and remembers the outcomes."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from engine.errors import QueueFull
from model_loader.tokenizer import Tokenizer
from server.constraints import Constraint
from server.grammars.messages import Accepted, Refused
from server.grammars.process import TOO_COMPLEX, Checkers

MAX_FLIGHTS = 64
MAX_AT_ONCE = 4
"""Processes. Each gives way to all that is not one of them."""
SECONDS_OF_REFUSAL = 30.0
"""How long what took too much is not tried again: it may have been for want of memory."""
MAX_KNOWN = 256
MAX_KNOWN_BYTES = 8 * 2**20


@dataclass(slots=True, eq=False)
class _Flight:
    """A constraint on its way through another process, and how many wait for it."""

    task: asyncio.Task[Accepted | Refused]
    num_waiting: int = 0


class ConstraintCompiler:
    """All methods are called from one event loop."""

    def __init__(self, tokenizer: Tokenizer, seconds: float) -> None:
        """`seconds` of processor time may be taken for one constraint."""
        self._checkers = Checkers(tokenizer)
        self._seconds = seconds
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._flights: dict[Constraint, _Flight] = {}
        self._refused_at: dict[Constraint, float] = {}
        self._known: OrderedDict[Constraint, Accepted | Refused] = OrderedDict()
        self._num_known_bytes = 0

    async def compile(self, constraint: Constraint) -> Accepted | Refused:
        """The source for the engine, or why there is none. If all who wait go, so does the work.

        Raises:
            QueueFull: too many different constraints are waiting.
            CheckerGone: no process can be had to do it.
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
        """End all processes. Whoever waits is cancelled."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._checkers.close()

    def _begin(self, constraint: Constraint) -> _Flight:
        if len(self._flights) >= MAX_FLIGHTS:
            raise QueueFull("too many grammars are waiting to be compiled")
        flight = _Flight(asyncio.create_task(self._check(constraint)))
        self._flights[constraint] = flight
        return flight

    async def _check(self, constraint: Constraint) -> Accepted | Refused:
        async with self._places:
            answer = await self._checkers.check(constraint, self._seconds)
        if answer is TOO_COMPLEX:
            self._refused_at[constraint] = time.monotonic()
        else:
            self._remember(constraint, answer)
        return answer

    def _forget_refusals(self) -> None:
        """Few are made in that time, as each takes long."""
        until = time.monotonic() - SECONDS_OF_REFUSAL
        self._refused_at = {key: at for key, at in self._refused_at.items() if at > until}

    def _remember(self, constraint: Constraint, answer: Accepted | Refused) -> None:
        self._known[constraint] = answer
        self._num_known_bytes += _size(constraint, answer)
        while len(self._known) > MAX_KNOWN or self._num_known_bytes > MAX_KNOWN_BYTES:
            self._num_known_bytes -= _size(*self._known.popitem(last=False))


def _size(constraint: Constraint, answer: Accepted | Refused) -> int:
    return len(msgspec.msgpack.encode(constraint)) + len(msgspec.msgpack.encode(answer))
