"""The nursery of grammars' own processes: it has the vocabulary."""

import logging
import socket
import sys
from functools import partial
from pathlib import Path

from engine.grammars.single_grammar import serve
from engine.grammars.vocabulary import load_vocabulary
from engine.nursery import make_processes
from engine.own_python import own_python
from engine.parent_death import die_with_parent
from kernels.errors import GraniteError

logger = logging.getLogger("engine.grammars.nursery")


def nursery_command(checkpoint: str, seconds: float) -> tuple[str, ...]:
    """Runs `main`, when the number of a socket has been added."""
    return own_python("engine.grammars.nursery", checkpoint, str(seconds))


def main() -> int:
    """The last arguments: the checkpoint, seconds an answer may take, the number of a socket."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    checkpoint, seconds, number = sys.argv[-3:]
    die_with_parent()
    try:
        vocabulary = load_vocabulary(Path(checkpoint))
    except GraniteError as error:
        logger.error("grammars cannot be followed: %s", error)
        return 1
    with socket.socket(fileno=int(number)) as worker:
        make_processes(worker, partial(serve, vocabulary=vocabulary, seconds=float(seconds)))
    return 0
