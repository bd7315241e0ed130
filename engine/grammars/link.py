"""The worker's end of the connection to the process of one grammar."""

import logging
import socket
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from engine.framing import FrameReader, encode_frame
from engine.grammars.messages import (
    Advance,
    Answer,
    Compile,
    Compiled,
    Followers,
    Forget,
    Question,
    Report,
    Stuck,
)
from sampling.grammar import InvalidGrammar
from sampling.grammar_matcher import GrammarStuck

logger = logging.getLogger(__name__)

RECEIVE_BYTES = 2**18
OVERRUN = "the grammar takes too much time or memory"


@dataclass(slots=True)
class Clock:
    """Seconds of processor time that all links which share it have reported."""

    seconds: float = 0.0


class GrammarLink:
    """Closes, and so ends the process, when nothing refers to it any more.

    Replies are numbered. `waiting` have asked; of them, `fresh` have not been waited for yet.
    """

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._frames = FrameReader()
        self._answers: dict[int, Followers | Stuck] = {}
        self._num_replies = 0
        self.waiting: set[int] = set()
        self.fresh: set[int] = set()
        self.is_gone = False
        self._has_failed = False
        weakref.finalize(self, connection.close)

    def fileno(self) -> int:
        return self._connection.fileno()

    @property
    def is_sound(self) -> bool:
        """No reply has failed so far."""
        return not (self.is_gone or self._has_failed)

    @property
    def num_replies(self) -> int:
        """All that there have been."""
        return self._num_replies

    def compile(self, source: str) -> Compiled:
        """The first thing that is asked; waits for the answer.

        Raises:
            InvalidGrammar: not a grammar, or one that takes too much.
        """
        self._connection.sendall(_encoded(Compile(source)))
        while data := self._connection.recv(RECEIVE_BYTES):
            for report in self._reports(data):
                if isinstance(report, Compiled):
                    return report
                raise InvalidGrammar(report.reason if isinstance(report, Stuck) else "no answer")
        raise InvalidGrammar(OVERRUN)

    def open(self) -> int:
        """The number of a new reply."""
        self._num_replies += 1
        return self._num_replies

    def ask(self, reply: int, token_ids: Sequence[int]) -> None:
        """What may follow after these next ids of a reply?"""
        self.waiting.add(reply)
        self.fresh.add(reply)
        self._send(Advance(reply, token_ids))

    def answer(self, reply: int) -> Followers | None:
        """What was asked last, once; None if it is not answered yet.

        Raises:
            GrammarStuck: nothing can follow, or the process has overrun its limits.
        """
        if reply in self.waiting:
            self.receive()
        found = self._answers.pop(reply, None)
        if isinstance(found, Stuck):
            self._has_failed = True
            raise GrammarStuck(found.reason)
        if found is None and self.is_gone:
            raise GrammarStuck(OVERRUN)
        return found

    def close(self, reply: int) -> None:
        self.waiting.discard(reply)
        self.fresh.discard(reply)
        self._answers.pop(reply, None)
        self._send(Forget(reply))

    def receive(self) -> None:
        """Take in what has arrived, without waiting for more."""
        try:
            data = self._connection.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._lose()
        for report in self._reports(data):
            if isinstance(report, Answer) and report.reply in self.waiting:
                self.waiting.discard(report.reply)
                self.fresh.discard(report.reply)
                self._clock.seconds += report.seconds
                self._answers[report.reply] = report.found

    def _send(self, question: Question) -> None:
        """Never waits: whoever does not take in a few small messages is given up."""
        data = _encoded(question)
        try:
            if not self.is_gone and self._connection.send(data, socket.MSG_DONTWAIT) < len(data):
                self._lose()
        except (BlockingIOError, ConnectionError):
            self._lose()

    def _lose(self) -> None:
        logger.info(
            "the process of a grammar has ended, with %d replies waiting", len(self.waiting)
        )
        self.is_gone = True
        self.waiting.clear()
        self.fresh.clear()

    def _reports(self, data: bytes) -> Iterator[Report]:
        for payload in self._frames.feed(data):
            yield msgspec.msgpack.decode(payload, type=Report)


def _encoded(question: Question) -> bytes:
    return encode_frame(msgspec.msgpack.encode(question))
