"""One grammar in a process of its own, for all replies that follow it.

A hostile grammar may overrun its time, its memory or its stack: that ends this process, and with
it these replies, but nothing else.
"""

import signal
import socket
import time
from collections.abc import Iterator

import msgspec

from engine.confinement import confine
from engine.framing import FrameReader, encode_frame
from engine.grammars.messages import (
    Advance,
    Answer,
    Choice,
    Compile,
    Compiled,
    Followers,
    Forced,
    Forget,
    Question,
    Report,
    Stuck,
)
from sampling.grammar import GrammarVocabulary, InvalidGrammar, compile_grammar
from sampling.grammar_matcher import GrammarMatcher, GrammarStuck

COMPILING_FACTOR = 10.0
"""Who checks a grammar first compiles it within the time of one answer: here it ends well."""
MEMORY_BYTES = 2**30
"""Beyond what the vocabulary takes. As much as whoever checks a grammar gives to it."""
MAX_FORCED = 1024
"""Ids told at once of text that goes on without a choice."""
RECEIVE_BYTES = 2**16


def serve(connection: socket.socket, vocabulary: GrammarVocabulary, seconds: float) -> None:
    """Answer one worker until it goes away. `seconds` of processor time may be taken to answer."""
    confine(MEMORY_BYTES)
    questions = _questions(connection)
    signal.setitimer(signal.ITIMER_PROF, COMPILING_FACTOR * seconds)
    try:
        grammar = SingleGrammar(_source(next(questions)), vocabulary)
    except (InvalidGrammar, GrammarStuck) as error:
        _send(connection, Stuck(str(error)))
        return
    _send(connection, grammar.compiled)
    for question in questions:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        if isinstance(question, Advance):
            _send(connection, grammar.advance(question))
        elif isinstance(question, Forget):
            grammar.forget(question.reply)


class SingleGrammar:
    def __init__(self, source: str, vocabulary: GrammarVocabulary) -> None:
        """Raises InvalidGrammar, GrammarStuck."""
        self._vocabulary = vocabulary
        self._beginning = GrammarMatcher(compile_grammar(source, vocabulary), vocabulary)
        self._replies: dict[int, GrammarMatcher] = {}

    @property
    def compiled(self) -> Compiled:
        vocabulary = self._vocabulary
        return Compiled(vocabulary.size, vocabulary.eos_ids, _followers(self._beginning))

    def advance(self, question: Advance) -> Answer:
        started = time.thread_time()  # finer than the process's while a timer runs
        found = self._advance(question)
        return Answer(question.reply, time.thread_time() - started, found)

    def forget(self, reply: int) -> None:
        self._replies.pop(reply, None)

    def _advance(self, question: Advance) -> Followers | Stuck:
        matcher = self._replies.get(question.reply)
        if matcher is None:
            matcher = self._replies[question.reply] = self._beginning.copy()
        try:
            for token_id in question.token_ids:
                matcher.accept(token_id)
        except GrammarStuck as error:
            self.forget(question.reply)
            return Stuck(str(error))
        return _followers(matcher)


def _followers(matcher: GrammarMatcher) -> Followers:
    forced = matcher.forced_ids
    return Forced(forced[:MAX_FORCED]) if forced else Choice(matcher.mask)


def _questions(connection: socket.socket) -> Iterator[Question]:
    frames = FrameReader()
    while data := connection.recv(RECEIVE_BYTES):
        for payload in frames.feed(data):
            yield msgspec.msgpack.decode(payload, type=Question)


def _source(question: Question) -> str:
    if not isinstance(question, Compile):
        raise TypeError("a grammar begins with its source")
    return question.source


def _send(connection: socket.socket, report: Report) -> None:
    connection.sendall(encode_frame(msgspec.msgpack.encode(report)))
