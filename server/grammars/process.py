"""One life of the checking process, from the server's side: start it, ask it, see it gone."""

import asyncio
import socket
from collections import deque
from subprocess import DEVNULL, Popen

import msgspec

from engine.framing import FrameReader, encode_frame
from engine.own_python import own_python, single_threaded
from server.constraints import Constraint
from server.grammars.errors import CheckerGone
from server.grammars.messages import Accepted, Answer, Check, Ready, Refused, Vocabulary

READ_BYTES = 2**16
SECONDS_TO_START = 60.0


class CheckerProcess:
    """Answers one question at a time."""

    def __init__(
        self, process: Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()
        self._answers: deque[Answer] = deque()

    @classmethod
    async def spawn(cls, vocabulary: Vocabulary) -> "CheckerProcess":
        """Start a process and wait until it can check.

        Raises:
            CheckerGone: it does not start.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            number = theirs.fileno()
            # Our own interpreter, nothing from outside.
            command = own_python("server.grammars.checker", str(number))
            try:
                process = Popen(  # noqa: S603
                    command,
                    pass_fds=(number,),
                    stdin=DEVNULL,
                    stderr=DEVNULL,
                    env=single_threaded(),
                )
            except OSError as error:
                writer.close()
                raise CheckerGone(f"no process could be started: {error.strerror}") from error
        checker = cls(process, reader, writer)
        try:
            checker._send(vocabulary)
            await checker._receive(SECONDS_TO_START)
        except BaseException:
            await checker.end()
            raise
        return checker

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    async def check(self, constraint: Constraint, seconds: float) -> Accepted | Refused:
        """Raises CheckerGone, after which nothing more can be asked."""
        self._send(Check(constraint, seconds=2 * int(seconds) + 1))
        answer = await self._receive(seconds)
        if isinstance(answer, Ready):
            raise CheckerGone("the process answers another question")
        return answer

    async def end(self) -> None:
        """Leave no process, zombie or open socket behind, whatever it is doing."""
        self._process.kill()
        self._writer.close()
        await asyncio.to_thread(self._process.wait)

    def _send(self, message: Vocabulary | Check) -> None:
        self._writer.write(encode_frame(msgspec.msgpack.encode(message)))

    async def _receive(self, seconds: float) -> Answer:
        try:
            async with asyncio.timeout(seconds):
                while not self._answers:
                    data = await self._reader.read(READ_BYTES)
                    if not data:
                        raise CheckerGone("the process ended")
                    frames = self._frames.feed(data)
                    self._answers += (msgspec.msgpack.decode(f, type=Answer) for f in frames)
        except TimeoutError:
            raise CheckerGone("the process took too long") from None
        except ConnectionError:
            raise CheckerGone("the process ended") from None
        return self._answers.popleft()
