"""The loop over a socket pair in this process, with the fake model."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from llguidance import LLMatcher

from engine.allocator import AllocationError
from engine.channel import Channel, ChannelClosed
from engine.errors import GrammarFailed
from engine.framing import FrameReader, ProtocolError
from engine.interface import EngineStats
from engine.loop import EngineLoop
from engine.protocol import (
    PROTOCOL_VERSION,
    Cancel,
    Closed,
    Command,
    Failed,
    Progress,
    Start,
    StepDone,
    Submit,
    Token,
    Word,
    decode_report,
    encode,
    error_of,
)
from engine.scheduler import Scheduler
from kernels.errors import GraniteError
from sampling.grammar import GrammarVocabulary
from tests.byte_vocabulary import decode
from tests.engine.fakes import EOS, FakeRunner, make_request, small_options, solo_tokens, vocabulary
from tests.engine.local_grammars import LocalGrammars


class Peer:
    """The API's end of the socket pair, with the loop running on a thread of its own."""

    def __init__(
        self,
        connection: socket.socket,
        scheduler: Scheduler,
        loop: EngineLoop,
        vocabulary_is_there: threading.Event,
    ) -> None:
        self.scheduler = scheduler
        self.vocabulary_is_there = vocabulary_is_there
        self._connection = connection
        self._frames = FrameReader()
        self.steps: list[StepDone] = []
        self.ended_with: Exception | None = None
        self.thread = threading.Thread(target=self._run, args=(loop,))
        self.thread.start()

    def _run(self, loop: EngineLoop) -> None:
        try:
            loop.run()
        except GraniteError as error:
            self.ended_with = error

    def read_until_said(self, kind: type[Word], count: int) -> list[Word]:
        """All outputs up to the report with the last of `count` words of one kind."""
        outputs: list[Word] = []
        while sum(isinstance(output, kind) for output in outputs) < count:
            outputs += self._read()
        return outputs

    def send(self, *commands: Command) -> None:
        self._connection.sendall(b"".join(encode(command) for command in commands))

    def read_until_idle(self) -> list[Word]:
        """All outputs up to the first report of an engine without work."""
        outputs: list[Word] = []
        while True:
            outputs += self._read()
            if self.steps and self.stats.running == self.stats.waiting == 0:
                return outputs

    def _read(self) -> list[Word]:
        outputs: list[Word] = []
        for payload in self._frames.feed(self._connection.recv(2**16)):
            step = decode_report(payload)
            assert isinstance(step, StepDone)
            self.steps.append(step)
            outputs += step.outputs
        return outputs

    @property
    def stats(self) -> EngineStats:
        return self.steps[-1].stats

    def close(self) -> None:
        self._connection.close()
        self.thread.join(timeout=10)


@pytest.fixture
def peer() -> Iterator[Peer]:
    ours, theirs = socket.socketpair()
    options = small_options()
    scheduler = Scheduler(options, frozenset({EOS}))
    vocabulary_is_there = threading.Event()
    vocabulary_is_there.set()

    def load_vocabulary() -> GrammarVocabulary:
        assert vocabulary_is_there.wait(10)
        return vocabulary()

    grammars = LocalGrammars(load_vocabulary, delay=lambda: 2, executor=ThreadPoolExecutor(1))
    loop = EngineLoop(Channel(theirs), scheduler, FakeRunner(options), grammars)
    peer = Peer(ours, scheduler, loop, vocabulary_is_there)
    yield peer
    vocabulary_is_there.set()
    peer.close()
    theirs.close()


def test_each_step_sends_one_report(peer: Peer) -> None:
    peer.send(Submit(1, make_request((1, 2, 3), 5)))
    outputs = peer.read_until_idle()
    assert [type(output) for output in outputs] == [Progress] + [Token] * 5
    assert [o.event.token_id for o in outputs if isinstance(o, Token)] == solo_tokens(
        make_request((1, 2, 3), 5)
    )
    assert [step.stats.steps for step in peer.steps] == [1, 2, 3, 4, 5]
    assert 0 < peer.steps[0].stats.step_seconds < peer.steps[4].stats.step_seconds


def test_late_and_repeated_commands_are_counted_and_change_nothing(peer: Peer) -> None:
    request = make_request((1, 2, 3), 5)
    peer.send(Submit(1, request), Submit(1, request), Cancel(99))
    outputs = peer.read_until_idle()
    assert len([output for output in outputs if isinstance(output, Token)]) == 5
    peer.send(Cancel(1))
    assert peer.read_until_idle() == []
    assert peer.stats.late_messages == 3


def test_a_cancel_is_acknowledged_once(peer: Peer) -> None:
    peer.send(Submit(1, make_request()), Cancel(1), Cancel(1))
    assert peer.read_until_idle() == [Closed(1)]
    assert peer.stats.free_slots == peer.stats.total_slots
    assert peer.stats.late_messages == 1


def test_the_loop_ends_when_the_other_side_does(peer: Peer) -> None:
    peer.close()
    assert isinstance(peer.ended_with, ChannelClosed)


def test_a_second_start_ends_the_loop(peer: Peer) -> None:
    peer.send(Start(PROTOCOL_VERSION, small_options()))
    peer.thread.join(timeout=10)
    assert isinstance(peer.ended_with, ProtocolError)


def test_a_lost_page_is_found_when_the_engine_becomes_idle(peer: Peer) -> None:
    peer.scheduler.memory.pages.allocate(1)
    peer.send(Submit(1, make_request()))
    peer.thread.join(timeout=10)
    assert isinstance(peer.ended_with, AllocationError)


GRAMMAR = LLMatcher.grammar_from_regex("[ab]cd")


def test_a_request_with_a_grammar_follows_it(peer: Peer) -> None:
    peer.send(Submit(1, make_request(max_tokens=9, grammar=GRAMMAR)))
    outputs = peer.read_until_said(Token, 4)
    ids = [output.event.token_id for output in outputs if isinstance(output, Token)]
    assert decode(ids) in {b"acd", b"bcd"}
    assert ids[-1] == EOS
    assert 0 < peer.stats.mask_seconds < peer.stats.step_seconds


def test_a_grammar_that_does_not_compile_fails_its_request(peer: Peer) -> None:
    peer.send(Submit(1, make_request(grammar=LLMatcher.grammar_from_regex("("))))
    (failure,) = peer.read_until_said(Failed, 1)
    assert isinstance(failure, Failed)
    assert isinstance(error_of(failure), GrammarFailed)


def test_a_request_may_be_cancelled_while_its_grammar_is_compiled(peer: Peer) -> None:
    peer.vocabulary_is_there.clear()
    peer.send(Submit(1, make_request(grammar=GRAMMAR)), Cancel(1), Cancel(1))
    assert peer.read_until_said(Closed, 1) == [Closed(1)]
    peer.vocabulary_is_there.set()
    peer.send(Submit(2, make_request(max_tokens=1)))
    peer.read_until_said(Token, 1)
    assert peer.stats.late_messages == 1


def test_other_requests_go_on_while_a_grammar_is_compiled(peer: Peer) -> None:
    peer.vocabulary_is_there.clear()
    peer.send(Submit(1, make_request(grammar=GRAMMAR)), Submit(2, make_request(max_tokens=3)))
    outputs = peer.read_until_said(Token, 3)
    assert {output.generation for output in outputs} == {2}
    peer.vocabulary_is_there.set()
    outputs = peer.read_until_said(Token, 4)
    assert {output.generation for output in outputs} == {1}
