"""The server's side of checking: one process for one question, which it may cost its life."""

import asyncio
import socket
from collections.abc import Sequence

import msgspec

from engine.framing import LENGTH
from engine.nursery_process import NurseryProcess
from engine.own_python import own_python
from model_loader.tokenizer import Tokenizer
from server.constraints import Constraint
from server.grammars.errors import CheckerGone
from server.grammars.messages import (
    Accepted,
    Check,
    Ready,
    Refused,
    Vocabulary,
    encoded,
    receive,
    send,
)

CHECKER = own_python("server.grammars.checker")
TOO_COMPLEX = Refused("too complex to be compiled")
SECONDS_TO_START = 60.0
SECONDS_TO_ANSWER = 60.0
"""On a busy machine. What takes too much ends sooner, by its processor time."""


class Checkers:
    """All methods are called from one event loop."""

    def __init__(self, tokenizer: Tokenizer, command: Sequence[str] = CHECKER) -> None:
        """`command` starts the nursery, when there is the first thing to check."""
        self._tokenizer = tokenizer
        self._nursery = NurseryProcess(command, self._greet)

    async def check(self, constraint: Constraint, seconds: float) -> Accepted | Refused:
        """TOO_COMPLEX if it takes more than `seconds` of processor time, or of another resource.

        If this is cancelled, the process ends.

        Raises:
            CheckerGone: no process can be had.
        """
        connection = await self._new_connection()
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER + seconds):
                return await _ask(reader, writer, Check(constraint, seconds))
        except TimeoutError:
            return TOO_COMPLEX
        finally:
            writer.close()

    async def close(self) -> None:
        """End all processes."""
        await asyncio.to_thread(self._nursery.close)

    async def _new_connection(self) -> socket.socket:
        connecting = asyncio.ensure_future(asyncio.to_thread(self._nursery.new_connection))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_close)
            raise
        except OSError as error:
            raise CheckerGone(f"no process can be had: {error}") from error

    def _greet(self, nursery: socket.socket) -> None:
        nursery.settimeout(SECONDS_TO_START)
        send(nursery, _vocabulary_of(self._tokenizer))
        if receive(nursery, Ready) is None:
            raise ConnectionError("the process that checks constraints does not start")
        nursery.settimeout(None)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, check: Check
) -> Accepted | Refused:
    try:
        await _payload(reader)  # Ready
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise CheckerGone("the process ended before it was asked") from error
    writer.write(encoded(check))
    try:
        payload = await _payload(reader)
    except (asyncio.IncompleteReadError, ConnectionError):
        return TOO_COMPLEX
    answer: Accepted | Refused = msgspec.msgpack.decode(payload, type=Accepted | Refused)
    return answer


async def _payload(reader: asyncio.StreamReader) -> bytes:
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    return await reader.readexactly(length)


def _close(connecting: asyncio.Future[socket.socket]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()


def _vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    return Vocabulary(
        token_bytes=[tokenizer.token_bytes(token_id) for token_id in range(tokenizer.vocab_size)],
        control_tokens=dict(tokenizer.control_tokens),
        eos_ids=list(tokenizer.eos_ids),
    )
