"""The process that has the vocabulary, and from which every grammar's own process is forked.

So a new grammar has the vocabulary at once, and shares its memory with all others.
"""

import gc
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from engine.grammars.single_grammar import serve
from engine.grammars.vocabulary import load_vocabulary
from engine.parent_death import die_with_parent
from kernels.errors import GraniteError
from sampling.grammar import GrammarVocabulary

logger = logging.getLogger("engine.grammars.nursery")


def main() -> int:
    """The last arguments: the checkpoint, seconds an answer may take, the number of a socket.

    For every socket that is sent over the first one, a process is started that serves it.
    """
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    checkpoint, seconds, number = sys.argv[-3:]
    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # leaves no zombies
    try:
        vocabulary = load_vocabulary(Path(checkpoint))
    except GraniteError as error:
        logger.error("grammars cannot be followed: %s", error)
        return 1
    gc.collect()
    gc.freeze()  # or its next collection would touch, and so copy, all memory shared with a child
    with socket.socket(fileno=int(number)) as worker:
        while (connection := _receive(worker)) is not None:
            with connection:
                _give_birth(worker, connection, vocabulary, float(seconds))
    return 0


def _receive(worker: socket.socket) -> socket.socket | None:
    """None when the worker has gone."""
    _, descriptors, _, _ = socket.recv_fds(worker, 1, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else None


def _give_birth(
    worker: socket.socket,
    connection: socket.socket,
    vocabulary: GrammarVocabulary,
    seconds: float,
) -> None:
    try:
        if os.fork():
            return
    except OSError as error:
        logger.error("no process could be started for a grammar: %s", error.strerror)
        return
    status = 1
    try:
        worker.close()
        serve(connection, vocabulary, seconds)
        status = 0
    except ConnectionError:  # nobody waits for the answer any longer
        status = 0
    except Exception:
        logger.exception("the process of a grammar failed")
    finally:
        os._exit(status)  # not through the parent's `with`, nor its exit handlers
