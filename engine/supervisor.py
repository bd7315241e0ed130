"""Keeps a worker process running: starts it, watches it, restarts it, in the end gives up."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from engine.framing import ProtocolError
from engine.interface import EngineInfo, EngineState
from engine.options import EngineOptions
from engine.process import WorkerProcess
from engine.protocol import (
    PROTOCOL_VERSION,
    Command,
    Hello,
    LoadFailed,
    Loading,
    Ready,
    Report,
    Start,
    StepDone,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """More than `max_crashes` in the window are the end; each restart waits twice as long."""

    max_crashes: int = 3
    window_seconds: float = 300.0
    first_delay_seconds: float = 0.5


class Supervisor:
    """`on_step` gets every step's report; `on_loss` is called once for every lost worker.

    `is_busy` says whether the worker owes reports: then silence for the step timeout is a death.
    """

    def __init__(
        self,
        command: Sequence[str],
        options: EngineOptions,
        policy: RestartPolicy,
        *,
        on_step: Callable[[StepDone], None],
        on_loss: Callable[[], None],
        is_busy: Callable[[], bool],
    ) -> None:
        self._command = command
        self._options = options
        self._policy = policy
        self._on_step = on_step
        self._on_loss = on_loss
        self._is_busy = is_busy
        self.state = EngineState.LOADING
        self.load_progress = 0.0
        self.load_seconds = 0.0
        self.info: EngineInfo | None = None
        self._worker: WorkerProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._has_stopped = asyncio.Event()
        self._crashes: deque[float] = deque()
        self._last_sign_of_life = 0.0

    @property
    def pid(self) -> int | None:
        """Of the worker process, while there is one."""
        return self._worker.pid if self._worker else None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End the worker and wait until it is gone. May be called at any time, and again."""
        self.state = EngineState.STOPPED
        self._has_stopped.set()
        if self._worker is not None:
            self._worker.kill()
        if self._task is not None:
            await asyncio.wait([self._task])

    def send(self, command: Command) -> None:
        """Drops commands to a worker that is gone: `on_loss` has ended what they were about."""
        if self._worker is not None:
            self._worker.send(command)

    def expect_report(self) -> None:
        """Start the clock of the step timeout: the worker had nothing to do, and now has."""
        self._last_sign_of_life = time.monotonic()

    async def _run(self) -> None:
        try:
            while not self._is_over:
                await self._live_once()
                await self._recover()
        except Exception:
            logger.exception("the supervisor of the worker has failed")
            self.state = EngineState.FAILED

    async def _recover(self) -> None:
        """Wait before the next start, or give up."""
        if self._is_over:
            return
        delay = self._delay_after_crash()
        if delay is None:
            self._fail(f"the worker died {len(self._crashes)} times; giving up")
            return
        self.state = EngineState.RESTARTING
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_stopped.wait(), delay)

    async def _live_once(self) -> None:
        """One worker from its start to its end, whatever the end is."""
        started = time.monotonic()
        try:
            worker = self._worker = await WorkerProcess.spawn(self._command)
        except OSError as error:
            logger.error("the worker cannot be started: %s", error)
            return
        watchdog = asyncio.get_running_loop().create_task(self._watch(worker))
        try:
            worker.send(Start(PROTOCOL_VERSION, self._options))
            while not self._is_over and (reports := await worker.receive()) is not None:
                self._last_sign_of_life = time.monotonic()
                for report in reports:
                    self._receive(report, started)
        except ProtocolError as error:
            logger.error("the worker is replaced: %s", error)
        finally:
            self._worker = None
            self.load_progress = 0.0
            if self.state is EngineState.READY:
                self.state = EngineState.RESTARTING
            self._on_loss()
            watchdog.cancel()
            status = await worker.end()
            logger.info("the worker process %d ended with status %d", worker.pid, status)

    @property
    def _is_over(self) -> bool:
        return self.state in (EngineState.FAILED, EngineState.STOPPED)

    def _receive(self, report: Report, started: float) -> None:
        match report:
            case StepDone():
                self._on_step(report)
            case Loading(progress):
                self.load_progress = progress
            case Ready(info) if not self._is_over:
                self.info = info
                self.load_seconds = time.monotonic() - started
                self.load_progress = 1.0
                self.state = EngineState.READY
            case LoadFailed(message):
                self._fail(message)
            case Hello(version) if version != PROTOCOL_VERSION:
                self._fail(f"the worker speaks version {version}, not {PROTOCOL_VERSION}")

    def _fail(self, reason: str) -> None:
        logger.error("the engine has failed: %s", reason)
        self.state = EngineState.FAILED

    def _delay_after_crash(self) -> float | None:
        """Seconds to wait before the next start; None if there have been too many crashes."""
        now = time.monotonic()
        self._crashes.append(now)
        while self._crashes[0] < now - self._policy.window_seconds:
            self._crashes.popleft()
        if len(self._crashes) > self._policy.max_crashes:
            return None
        return float(self._policy.first_delay_seconds * 2 ** (len(self._crashes) - 1))

    async def _watch(self, worker: WorkerProcess) -> None:
        """Kill a worker that has work and is silent for too long.

        Looking twice before the kill gives reports that already lie in the socket their turn.
        """
        timeout = self._options.step_timeout_seconds
        num_silent = 0
        while num_silent < 2:
            await asyncio.sleep(timeout / 8)
            silence = time.monotonic() - self._last_sign_of_life
            is_silent = self.state is EngineState.READY and self._is_busy() and silence > timeout
            num_silent = num_silent + 1 if is_silent else 0
        logger.error("the worker process %d was silent for %.0f s", worker.pid, timeout)
        worker.kill()
