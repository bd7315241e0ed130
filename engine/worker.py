"""The life of the worker process: greet, load, prove that the model computes, then loop.

What to load is passed in, so that tests run this very code on a model without weights.
"""

import ctypes
import logging
import socket
from collections.abc import Callable
from contextlib import closing

from engine.channel import Channel, ChannelClosed
from engine.framing import ProtocolError
from engine.loop import EngineLoop
from engine.options import EngineOptions
from engine.parent_death import die_with_parent
from engine.protocol import PROTOCOL_VERSION, Hello, LoadFailed, Loading, Ready, Start
from engine.scheduler import Scheduler
from engine.warm_up import Loaded, choose_rows_beside_decode, prove
from kernels.errors import GraniteError

PROGRESS_STEP = 0.01

logger = logging.getLogger(__name__)


Load = Callable[[EngineOptions, Callable[[float], None]], Loaded]


def run_worker(connection: socket.socket, load: Load) -> int:
    """Serve one API process over `connection`; returns the exit status of the process."""
    die_with_parent()
    channel = Channel(connection)
    try:
        _serve(channel, load)
    except ChannelClosed:
        return 0
    except ProtocolError as error:
        logger.error("the worker ends: %s", error)
        return 1
    return 1


def give_back_freed_memory() -> None:
    """glibc keeps what loading freed, half a gigabyte of packing, unless it is asked."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _serve(channel: Channel, load: Load) -> None:
    channel.send(Hello(PROTOCOL_VERSION))
    options = _receive_options(channel)
    _log_at(options.log_level)
    try:
        loaded = load(options, _ProgressReports(channel))
        give_back_freed_memory()
        prove(loaded, options)
        rows_beside_decode = choose_rows_beside_decode(loaded, options)
    except ChannelClosed:
        raise
    except GraniteError as error:
        channel.send(LoadFailed(str(error)))
        return
    channel.send(Ready(loaded.info))
    scheduler = Scheduler(options, loaded.eos_token_ids, rows_beside_decode)
    with closing(loaded.grammars):
        EngineLoop(channel, scheduler, loaded.runner, loaded.grammars).run()


def _log_at(level: str) -> None:
    """Of this program only: what the libraries have to say at "debug" nobody asked for."""
    for package in ("engine", "model_loader"):
        logging.getLogger(package).setLevel(level.upper())


def _receive_options(channel: Channel) -> EngineOptions:
    first, *others = channel.receive(wait=True)
    if others or not isinstance(first, Start) or first.version != PROTOCOL_VERSION:
        raise ProtocolError(f"the first message must be Start of version {PROTOCOL_VERSION}")
    return first.options


class _ProgressReports:
    """Passes the loader's progress on, at most one report per percent."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._reported = -PROGRESS_STEP

    def __call__(self, progress: float) -> None:
        if progress >= self._reported + PROGRESS_STEP:
            self._reported = progress
            self._channel.send(Loading(progress))
