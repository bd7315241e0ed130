"""The connection to a grammar's process, against a peer that does as it likes."""

import gc
import socket
from collections.abc import Iterator

import msgspec
import pytest

from engine.framing import encode_frame
from engine.grammars.link import Clock, GrammarLink
from engine.grammars.messages import Answer, Compiled, Forced, Report, Stuck
from sampling.grammar import InvalidGrammar
from sampling.grammar_matcher import GrammarStuck

FOUND = Forced([7])


class Peer:
    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.clock = Clock()
        self.link = GrammarLink(ours, self.clock)

    def says(self, *reports: Report) -> None:
        self.theirs.sendall(b"".join(encode_frame(msgspec.msgpack.encode(r)) for r in reports))


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.theirs.close()


def test_answers_reach_who_asked_once_and_their_time_is_counted(peer: Peer) -> None:
    first, second = peer.link.open(), peer.link.open()
    peer.link.ask(first, [1])
    peer.link.ask(second, [2])
    assert peer.link.answer(first) is None
    peer.says(Answer(second, 0.25, FOUND), Answer(first, 0.5, FOUND))
    assert peer.link.answer(first) == FOUND
    assert peer.link.answer(first) is None
    assert peer.link.answer(second) == FOUND
    assert peer.link.waiting == peer.link.fresh == set()
    assert peer.clock.seconds == 0.75


def test_what_comes_for_nobody_is_dropped(peer: Peer) -> None:
    reply = peer.link.open()
    peer.link.ask(reply, [1])
    peer.link.close(reply)
    peer.says(Answer(reply, 0.1, FOUND), Answer(99, 0.1, FOUND))
    peer.link.receive()
    assert peer.link.answer(reply) is None
    assert peer.link.is_sound


def test_a_reply_that_is_stuck_fails_alone_but_no_others_join_it(peer: Peer) -> None:
    first, second = peer.link.open(), peer.link.open()
    for reply in (first, second):
        peer.link.ask(reply, [1])
    peer.says(Answer(first, 0.1, Stuck("too ambiguous")), Answer(second, 0.1, FOUND))
    with pytest.raises(GrammarStuck, match="too ambiguous"):
        peer.link.answer(first)
    assert peer.link.answer(second) == FOUND
    assert not peer.link.is_sound


def test_an_answer_counts_that_came_just_before_the_end(peer: Peer) -> None:
    first, second = peer.link.open(), peer.link.open()
    for reply in (first, second):
        peer.link.ask(reply, [1])
    peer.says(Answer(first, 0.1, FOUND))
    peer.theirs.close()
    assert peer.link.answer(second) is None
    with pytest.raises(GrammarStuck):
        peer.link.answer(second)
    assert peer.link.answer(first) == FOUND
    with pytest.raises(GrammarStuck):
        peer.link.ask(first, [2])
        peer.link.answer(first)


def test_whoever_takes_nothing_in_is_given_up_and_nobody_waits_for_it(peer: Peer) -> None:
    reply, ids = peer.link.open(), list(range(1000))
    for _ in range(10_000):
        peer.link.ask(reply, ids)
        if peer.link.is_gone:
            break
    with pytest.raises(GrammarStuck):
        peer.link.answer(reply)


def test_compiling_waits_for_its_answer_whatever_that_is(peer: Peer) -> None:
    compiled = Compiled(10, [0], FOUND)
    peer.says(compiled)
    assert peer.link.compile("start: foo") == compiled
    peer.says(Stuck("no such rule"))
    with pytest.raises(InvalidGrammar, match="no such rule"):
        peer.link.compile("start: foo")
    peer.theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(InvalidGrammar, match="too much time"):
        peer.link.compile("start: foo")


def test_the_connection_ends_when_nobody_knows_of_it_any_more() -> None:
    peer = Peer()
    peer.theirs.settimeout(20)
    del peer.link
    gc.collect()
    assert peer.theirs.recv(1) == b""
    peer.theirs.close()
