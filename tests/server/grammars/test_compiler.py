"""Constraints of any kind are compiled without harm to the server, each once, and for as long as
anybody waits.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from engine.errors import QueueFull
from model_loader.tokenizer import Tokenizer
from server.constraints import Constraint, Regex
from server.grammars import compiler as compiler_module
from server.grammars.compiler import MAX_FLIGHTS, TOO_COMPLEX, ConstraintCompiler
from server.grammars.messages import Accepted, Refused
from server.grammars.process import CheckerProcess
from tests.server.grammars.hostile import CHAIN, ENDLESS, checkers
from tests.server.grammars.support import schema
from tests.tiny_tokenizer import write_tokenizer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.from_directory(write_tokenizer(tmp_path_factory.mktemp("tokenizer")))


@pytest.fixture
async def compiler(tokenizer: Tokenizer) -> AsyncIterator[ConstraintCompiler]:
    compiler = ConstraintCompiler(tokenizer, seconds=2.0)
    yield compiler
    await compiler.close()


@pytest.fixture
async def hasty(tokenizer: Tokenizer) -> AsyncIterator[ConstraintCompiler]:
    compiler = ConstraintCompiler(tokenizer, seconds=0.2)
    yield compiler
    await compiler.close()


class Heart:
    """Beats on the event loop; `longest_pause` is what anything else on it had to wait."""

    def __init__(self) -> None:
        self.num_beats = 0
        self._task = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.01)
            self.num_beats += 1

    def stop(self) -> None:
        self._task.cancel()


async def test_what_is_compiled_is_remembered(compiler: ConstraintCompiler) -> None:
    first = await compiler.compile(Regex("a|b"))
    assert isinstance(first, Accepted)
    assert await compiler.compile(Regex("a|b")) is first
    refusal = await compiler.compile(Regex("("))
    assert isinstance(refusal, Refused)
    assert await compiler.compile(Regex("(")) is refusal


async def test_one_process_is_kept_and_ended_with_the_server(tokenizer: Tokenizer) -> None:
    compiler = ConstraintCompiler(tokenizer, seconds=2.0)
    assert checkers() == []
    await compiler.compile(Regex("a"))
    await compiler.compile(Regex("b"))
    (process,) = checkers()
    await compiler.close()
    assert not process.is_running()
    assert checkers() == []


@pytest.mark.parametrize("hostile", [CHAIN, ENDLESS], ids=["stack", "time"])
async def test_what_is_too_much_is_refused_and_the_next_finds_a_process(
    hasty: ConstraintCompiler, hostile: Constraint
) -> None:
    heart = Heart()
    answer = await hasty.compile(hostile)
    heart.stop()
    assert answer == TOO_COMPLEX
    assert heart.num_beats > 5
    assert checkers() == []
    assert isinstance(await hasty.compile(schema({"type": "object"})), Accepted)


async def test_a_process_that_died_in_idleness_is_replaced(compiler: ConstraintCompiler) -> None:
    await compiler.compile(Regex("a"))
    (process,) = checkers()
    os.kill(process.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)
    assert isinstance(await compiler.compile(Regex("b")), Accepted)


async def test_many_who_want_the_same_wait_for_one_compilation(
    hasty: ConstraintCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Constraint] = []
    check = CheckerProcess.check

    async def counted(
        self: CheckerProcess, constraint: Constraint, seconds: float
    ) -> Accepted | Refused:
        asked.append(constraint)
        return await check(self, constraint, seconds)

    monkeypatch.setattr(CheckerProcess, "check", counted)
    answers = await asyncio.gather(*(hasty.compile(ENDLESS) for _ in range(32)))
    assert set(answers) == {TOO_COMPLEX}
    assert asked == [ENDLESS]


async def test_what_took_too_long_is_tried_again_after_a_while(
    hasty: ConstraintCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await hasty.compile(ENDLESS) == TOO_COMPLEX
    monkeypatch.setattr(CheckerProcess, "spawn", None)  # nothing may be started
    assert await hasty.compile(ENDLESS) == TOO_COMPLEX
    monkeypatch.setattr(compiler_module, "SECONDS_OF_REFUSAL", 0.0)
    with pytest.raises(TypeError):
        await hasty.compile(ENDLESS)


async def test_work_that_nobody_waits_for_is_ended(compiler: ConstraintCompiler) -> None:
    await compiler.compile(Regex("a"))
    (process,) = checkers()
    waiting = [asyncio.create_task(compiler.compile(ENDLESS)) for _ in range(3)]
    await asyncio.sleep(0.2)
    for task in waiting[:2]:
        task.cancel()
    await asyncio.sleep(0.1)
    assert process.is_running()
    waiting[2].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(10):
        while checkers():
            await asyncio.sleep(0.01)
    assert isinstance(await compiler.compile(Regex("b")), Accepted)


async def test_the_line_of_waiting_constraints_is_bounded(compiler: ConstraintCompiler) -> None:
    waiting = [
        asyncio.create_task(compiler.compile(Regex(f"a{number}"))) for number in range(MAX_FLIGHTS)
    ]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await compiler.compile(Regex("one more"))
    answers = await asyncio.gather(*waiting)
    assert all(isinstance(answer, Accepted) for answer in answers)


async def test_memory_of_old_outcomes_is_bounded(
    compiler: ConstraintCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler_module, "MAX_KNOWN_BYTES", 2000)
    first = await compiler.compile(Regex("first" * 50))
    for number in range(5):
        await compiler.compile(Regex(f"{number}" * 250))
    assert await compiler.compile(Regex("first" * 50)) is not first


async def test_the_checker_s_memory_is_bounded_and_its_priority_low(
    compiler: ConstraintCompiler,
) -> None:
    await compiler.compile(Regex("a"))
    (process,) = checkers()
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    (line,) = (line for line in limits.splitlines() if line.startswith("Max address space"))
    assert int(line.split()[3]) == 2 * 2**30
    assert process.nice() > 0
