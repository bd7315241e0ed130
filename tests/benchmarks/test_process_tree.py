import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from benchmarks.process_tree import CpuTime, Memory, MemoryWatch, children

MEGABYTE = 10**6
HOLD = "import sys; held = bytearray(b'x' * 60_000_000); print(flush=True); sys.stdin.read()"


@pytest.fixture
def child() -> Iterator[int]:
    """A process that holds 60 MB."""
    command = [sys.executable, "-S", "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_private_memory_is_a_part_of_what_is_resident_and_that_of_the_peak(child: int) -> None:
    memory = Memory.of([child])
    assert 60 * MEGABYTE < memory.private < memory.resident <= memory.peak < 200 * MEGABYTE


def test_processes_are_summed_up(child: int) -> None:
    ours, theirs = Memory.of([os.getpid()]), Memory.of([child])
    both = Memory.of([os.getpid(), child])
    assert both.peak >= ours.peak + theirs.peak


def test_a_process_that_has_ended_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as process:
        process.wait()
    assert Memory.of([process.pid]) == Memory(resident=0, private=0, peak=0)
    assert CpuTime.of([process.pid]) == CpuTime(0.0, 0.0)
    assert children(process.pid) == []


def test_the_watch_counts_children_and_keeps_the_largest_sample(child: int) -> None:
    assert child in children(os.getpid())
    watch = MemoryWatch(os.getpid())
    with watch.sampling():
        before = watch.read()
    assert before.private > Memory.of([os.getpid()]).private
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert watch.read().private <= watch.peak_private
    assert watch.peak_private >= before.private


def test_cpu_time_grows_while_running_and_hardly_while_sleeping() -> None:
    start = CpuTime.of([os.getpid()])
    deadline = time.process_time() + 0.2
    while time.process_time() < deadline:
        pass
    busy = CpuTime.of([os.getpid()])
    assert busy.since(start).running >= 0.19
    time.sleep(0.2)
    assert CpuTime.of([os.getpid()]).since(busy).running < 0.15
    assert busy.since(start).waiting >= 0
