"""Processes in which grammars of unknown intent are compiled for the first time, one in each.

They may overrun their stack, their memory or their time: the server notices.
"""

import fcntl
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import llguidance
import numpy as np

from engine.confinement import confine
from engine.nursery import make_processes
from engine.parent_death import die_with_parent
from sampling.grammar import GrammarVocabulary, InvalidGrammar, compile_grammar
from sampling.grammar_matcher import GrammarMatcher, GrammarStuck
from server.constraints import Constraint
from server.grammars.messages import (
    Accepted,
    Check,
    Ready,
    Refused,
    Vocabulary,
    receive,
    send,
)
from server.grammars.source import grammar_source

STACK_BYTES = 4 * 2**20
"""Half of what the engine gives to the same work: what overruns it ends here, not there."""
MEMORY_BYTES = 2**30
MAX_FORCED_BYTES = 65_536
TRIED_TOKENS = 3
"""Grammars that are too ambiguous mostly fail at their first tokens."""
MAX_REASON_LENGTH = 200

_REGEX_ERROR = re.compile(r"^error: (.+)$", re.MULTILINE)


def main() -> int:
    """The nursery of checking processes; the last argument is the number of its socket."""
    die_with_parent()
    with socket.socket(fileno=int(sys.argv[-1])) as server:
        vocabulary = receive(server, Vocabulary)
        if vocabulary is not None:
            checker = GrammarChecker(vocabulary)
            send(server, Ready())
            make_processes(server, partial(serve, checker=checker))
    return 0


def serve(connection: socket.socket, checker: "GrammarChecker") -> None:
    """Answer one question, unless that takes too much, or the server does not want it any more."""
    confine(MEMORY_BYTES)
    send(connection, Ready())
    check = receive(connection, Check)
    if check is None:
        return
    signal.setitimer(signal.ITIMER_PROF, check.seconds)
    threading.stack_size(STACK_BYTES)
    with _ending_with(connection), ThreadPoolExecutor(1) as small_stack:
        answer = small_stack.submit(checker.check, check.constraint).result()
    send(connection, answer)


@contextmanager
def _ending_with(connection: socket.socket) -> Iterator[None]:
    """Meanwhile the kernel ends this process if the other side closes, whatever it is doing."""
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(connection, fcntl.F_GETFL)
    fcntl.fcntl(connection, fcntl.F_SETFL, flags | os.O_ASYNC)  # SIGIO, which nobody handles
    yield
    fcntl.fcntl(connection, fcntl.F_SETFL, flags)


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
