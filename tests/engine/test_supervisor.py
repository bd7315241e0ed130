"""What happens when processes die, hang, lie or are told to stop. Real processes, fake model."""

import asyncio
import logging
import os
import signal
import socket
import struct
import subprocess
import sys

import psutil
import pytest

from engine.client import EngineClient
from engine.errors import EngineUnavailable, WorkerDied
from engine.interface import EngineState
from engine.protocol import PROTOCOL_VERSION, Cancel, Start, encode
from tests.engine.asynchronous import is_idle, read, until
from tests.engine.conftest import FAKE_WORKER, StartEngine
from tests.engine.fakes import make_request, small_options, solo_tokens

pytestmark = pytest.mark.slow  # whole lives of processes


def pid_of(client: EngineClient) -> int:
    assert client.worker_pid is not None
    return client.worker_pid


def has_ended(pid: int) -> bool:
    """Gone, or a zombie that only its new parent can reap."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def recovers(client: EngineClient, old_pid: int) -> None:
    await until(lambda: client.state is EngineState.READY and client.worker_pid != old_pid)
    request = make_request((5, 6, 7))
    assert (await read(client.submit(request))).tokens == {0: solo_tokens(request)}
    await until(lambda: is_idle(client))


async def test_killing_the_worker_fails_every_request_once_and_it_comes_back(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(checkpoint="fake:step=0.01", num_slots=8, num_pages=128)
    streams = [client.submit(make_request((n, n), 40)) for n in range(1, 17)]
    readers = [asyncio.ensure_future(read(stream)) for stream in streams]
    await until(lambda: client.stats.running == 8 and client.stats.steps > 5)
    assert client.stats.waiting == 8
    old_pid = pid_of(client)
    os.kill(old_pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        replies = await asyncio.gather(*readers)
    assert [type(reply.error) for reply in replies] == [WorkerDied] * 16
    assert client.state is EngineState.RESTARTING
    with pytest.raises(EngineUnavailable):
        client.submit(make_request())
    assert client.stats.waiting == client.stats.running == 0
    await recovers(client, old_pid)
    assert not psutil.pid_exists(old_pid)


async def test_dying_in_the_middle_of_a_step_is_the_same(start_engine: StartEngine) -> None:
    client = await start_engine(checkpoint="fake:die_at=7")
    old_pid = pid_of(client)
    reply = await read(client.submit(make_request(max_tokens=30)))
    assert isinstance(reply.error, WorkerDied)
    assert reply.tokens[0] == solo_tokens(make_request(max_tokens=30))[: len(reply.tokens[0])]
    await recovers(client, old_pid)


async def test_a_worker_that_dies_at_every_start_is_given_up(
    start_engine: StartEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client = await start_engine(checkpoint="fake:die_loading=1", until_ready=False)
        await until(lambda: client.state is EngineState.FAILED)
    deaths = [record for record in caplog.records if "ended with status -9" in record.message]
    assert len(deaths) == 4
    assert "died 4 times; giving up" in caplog.text
    assert client.worker_pid is None
    with pytest.raises(EngineUnavailable):
        client.submit(make_request())


async def test_killing_the_worker_while_it_restarts_does_not_spin(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(checkpoint="fake:load=5", until_ready=False)
    seen: set[int] = set()
    while client.state is not EngineState.FAILED:
        pid = client.worker_pid
        if pid is not None and pid not in seen and client.load_progress > 0:
            seen.add(pid)
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.005)
    assert len(seen) == 4


async def test_a_checkpoint_that_cannot_be_served_is_not_tried_again(
    start_engine: StartEngine, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start_engine(checkpoint="fake:corrupt=1", until_ready=False)
    await until(lambda: client.state is EngineState.FAILED)
    assert "model.safetensors: a tensor is missing" in caplog.text
    await until(lambda: client.worker_pid is None)


@pytest.mark.parametrize("fault", ["stopped by a signal", "stuck in a step"])
async def test_a_silent_worker_is_replaced(start_engine: StartEngine, fault: str) -> None:
    hang = 600 if fault == "stuck in a step" else 0
    client = await start_engine(checkpoint=f"fake:step=0.01,hang={hang}", step_timeout_seconds=2.0)
    old_pid = pid_of(client)
    generation = client.submit(make_request(max_tokens=40))
    await anext(aiter(generation))
    if not hang:
        os.kill(old_pid, signal.SIGSTOP)
    assert isinstance((await read(generation)).error, WorkerDied)
    await until(lambda: client.state is EngineState.READY and client.worker_pid != old_pid)
    assert not psutil.pid_exists(old_pid)


async def test_an_idle_worker_may_be_silent_for_ever(start_engine: StartEngine) -> None:
    client = await start_engine(step_timeout_seconds=0.1)
    pid = pid_of(client)
    await asyncio.sleep(0.4)
    assert client.worker_pid == pid
    assert (await read(client.submit(make_request()))).error is None


async def test_stopping_leaves_no_process_no_zombie_and_no_file_descriptor(
    start_engine: StartEngine,
) -> None:
    process = psutil.Process()
    await (await start_engine()).stop()  # the loop's own helpers exist after the first time
    before = process.num_fds()
    client = await start_engine()
    pid = pid_of(client)
    await client.stop()
    await asyncio.sleep(0)
    assert not psutil.pid_exists(pid)
    assert process.num_fds() == before


async def test_stopping_while_loading_ends_the_worker(start_engine: StartEngine) -> None:
    client = await start_engine(checkpoint="fake:load=5", until_ready=False)
    await until(lambda: client.load_progress > 0)
    pid = pid_of(client)
    await client.stop()
    assert not psutil.pid_exists(pid)


async def test_the_worker_leaves_signals_for_the_whole_service_to_the_api_process(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(checkpoint="fake:step=0.01")
    reader = asyncio.ensure_future(read(client.submit(make_request(max_tokens=10))))
    await until(lambda: client.stats.running == 1)
    os.kill(pid_of(client), signal.SIGINT)
    os.kill(pid_of(client), signal.SIGTERM)
    assert (await reader).num_finished == 1


async def test_killing_the_api_process_takes_the_worker_along_even_inside_a_step() -> None:
    command = (sys.executable, "-m", "tests.engine.fake_api")
    api = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert api.stdout is not None
    worker_pid = int(await api.stdout.readline())
    assert not has_ended(worker_pid)
    api.kill()
    await api.wait()
    await until(lambda: has_ended(worker_pid))


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("<I", 2**30),
        struct.pack("<I", 4) + b"junk",
        b"GET / HTTP/1.1\r\n\r\n",
        encode(Start(PROTOCOL_VERSION + 1, small_options())),
        encode(Cancel(1)),
        encode(Start(PROTOCOL_VERSION, small_options())) * 2,
    ],
    ids=["1 GiB frame", "junk", "another protocol", "another version", "no start", "two starts"],
)
def test_a_worker_that_is_sent_nonsense_ends_by_itself(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = theirs.fileno()
        worker = subprocess.Popen(
            [*FAKE_WORKER, str(number)], pass_fds=[number], stderr=subprocess.PIPE
        )
        theirs.close()
        ours.sendall(sent)
        _, log = worker.communicate(timeout=20)
    assert worker.returncode == 1
    assert b"Traceback" not in log


def test_a_worker_whose_api_process_lets_go_ends_cleanly() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = theirs.fileno()
        worker = subprocess.Popen([*FAKE_WORKER, str(number)], pass_fds=[number])
        theirs.close()
        ours.sendall(encode(Start(PROTOCOL_VERSION, small_options())))
    assert worker.wait(timeout=20) == 0


async def test_a_worker_that_sends_nonsense_is_given_up(
    start_engine: StartEngine, caplog: pytest.LogCaptureFixture
) -> None:
    program = "import socket, sys; socket.socket(fileno=int(sys.argv[1])).sendall(b'junk' * 99)"
    client = await start_engine(command=(sys.executable, "-c", program), until_ready=False)
    await until(lambda: client.state is EngineState.FAILED)
    assert caplog.text.count("the worker is replaced") == 4


async def test_a_worker_that_cannot_be_started_is_given_up(start_engine: StartEngine) -> None:
    client = await start_engine(command=("/nonexistent/python",), until_ready=False)
    await until(lambda: client.state is EngineState.FAILED)


LATE_WORKER = """
import socket, sys
from engine.protocol import Closed, Hello, PROTOCOL_VERSION, Ready, StepDone, encode
from tests.engine.test_protocol import INFO, STATS
with socket.socket(fileno=int(sys.argv[1])) as connection:
    for report in (Hello(PROTOCOL_VERSION), Ready(INFO), StepDone([Closed(7), Closed(8)], STATS)):
        connection.sendall(encode(report))
    while connection.recv(99):
        pass
"""


async def test_reports_on_unknown_generations_are_counted_and_dropped(
    start_engine: StartEngine,
) -> None:
    client = await start_engine(command=(sys.executable, "-c", LATE_WORKER))
    await until(lambda: client.stats.late_messages == 9 + 2)
    assert client.state is EngineState.READY


async def test_a_worker_of_another_version_is_not_used(
    start_engine: StartEngine, caplog: pytest.LogCaptureFixture
) -> None:
    program = LATE_WORKER.replace("Hello(PROTOCOL_VERSION)", "Hello(PROTOCOL_VERSION + 1)")
    client = await start_engine(command=(sys.executable, "-c", program), until_ready=False)
    await until(lambda: client.state is EngineState.FAILED)
    assert "speaks version 2, not 1" in caplog.text
