"""The process in which grammars of unknown intent are compiled for the first time.

It may overrun its stack, its memory or its time: the server notices, and starts another.
"""

import os
import re
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import llguidance
import msgspec
import numpy as np

from engine.framing import FrameReader, encode_frame
from sampling.grammar import GrammarVocabulary, InvalidGrammar, compile_grammar
from sampling.grammar_matcher import GrammarMatcher, GrammarStuck
from server.constraints import Constraint
from server.grammars.messages import Accepted, Answer, Check, Ready, Refused, Vocabulary
from server.grammars.source import grammar_source

STACK_BYTES = 4 * 2**20
"""Far less than the engine gives to the same work: what overruns it ends this process, not that."""
MEMORY_BYTES = 2 * 2**30
NICENESS = 10
"""Replies that are being generated go first."""
MAX_FORCED_BYTES = 65_536
TRIED_TOKENS = 3
"""Grammars that are too ambiguous mostly fail at their first tokens."""
MAX_REASON_LENGTH = 200
RECEIVE_BYTES = 2**16

_REGEX_ERROR = re.compile(r"^error: (.+)$", re.MULTILINE)


def main() -> int:
    """Serve one server, until it goes away; the last argument is the number of the socket."""
    descriptor = int(sys.argv[-1])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    threading.stack_size(STACK_BYTES)
    with socket.socket(fileno=descriptor) as connection, ThreadPoolExecutor(1) as small_stack:
        frames = _frames(connection)
        checker = GrammarChecker(msgspec.msgpack.decode(next(frames), type=Vocabulary))
        _send(connection, Ready())
        for frame in frames:
            check = msgspec.msgpack.decode(frame, type=Check)
            signal.alarm(check.seconds)
            answer = small_stack.submit(checker.check, check.constraint).result()
            signal.alarm(0)
            _send(connection, answer)
    return 0


def _frames(connection: socket.socket) -> Iterator[bytes]:
    reader = FrameReader()
    while data := connection.recv(RECEIVE_BYTES):
        yield from reader.feed(data)


def _send(connection: socket.socket, answer: Answer) -> None:
    connection.sendall(encode_frame(msgspec.msgpack.encode(answer)))


class GrammarChecker:
    """Compiles constraints for one vocabulary, and tries their first tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        tokens = vocabulary.token_bytes
        self._control_tokens = vocabulary.control_tokens
        # How text is cut into tokens does not matter here, and a tokenizer takes much memory.
        byte_ids = {token[0]: id_ for id_, token in enumerate(tokens) if len(token) == 1}
        self._vocabulary = GrammarVocabulary(
            tokens,
            vocabulary.control_tokens.values(),
            vocabulary.eos_ids,
            lambda utf8: [byte_ids[byte] for byte in utf8],
        )

    def check(self, constraint: Constraint) -> Accepted | Refused:
        try:
            source = grammar_source(constraint, self._control_tokens)
            state = compile_grammar(source, self._vocabulary)
            warnings = state.get_grammar_warnings()
            self._try_out(state)
        except (InvalidGrammar, GrammarStuck) as error:
            return Refused(_reason(str(error)))
        except RecursionError:
            return Refused("nested too deeply")
        except Exception as error:  # the converter of GBNF raises no other kinds
            return Refused(_reason(str(error)))
        return Accepted(source, warnings)

    def _try_out(self, state: llguidance.LLMatcher) -> None:
        if len(state.compute_ff_bytes()) > MAX_FORCED_BYTES:
            raise InvalidGrammar(f"more than {MAX_FORCED_BYTES} bytes are certain from the start")
        matcher = GrammarMatcher(state, self._vocabulary)
        for _ in range(TRIED_TOKENS):
            ids = matcher.next_ids
            token_id = ids if isinstance(ids, int) else int(np.flatnonzero(ids)[0])
            if token_id in self._vocabulary.eos_ids:
                return
            matcher.accept(token_id)


def _reason(text: str) -> str:
    """A compiler's message, without the excerpts of the source that it may go on with."""
    if "NoExtension" in text:
        return "nothing can match it"
    regex_error = _REGEX_ERROR.search(text)
    if regex_error is not None:
        return f"invalid regular expression: {regex_error[1]}"[:MAX_REASON_LENGTH]
    first_line = text.strip().partition("\n")[0]
    brief = re.sub(r"(Regex is empty|line \d+|invalid regex).*", r"\1", first_line)
    return brief[:MAX_REASON_LENGTH]
