"""Constraints of any kind are compiled without harm to the server, each once, and for as long as
anybody waits.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from engine.errors import QueueFull
from model_loader.tokenizer import Tokenizer
from server.constraints import Constraint, Regex
from server.grammars import compiler as compiler_module
from server.grammars.compiler import MAX_AT_ONCE, MAX_FLIGHTS, ConstraintCompiler
from server.grammars.errors import CheckerGone
from server.grammars.messages import Accepted, Refused
from server.grammars.process import TOO_COMPLEX, Checkers
from tests.server.grammars.hostile import CHAIN, ENDLESS, checks, nurseries
from tests.server.grammars.support import schema
from tests.tiny_tokenizer import write_tokenizer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.from_directory(write_tokenizer(tmp_path_factory.mktemp("tokenizer")))


@pytest.fixture
async def compiler(tokenizer: Tokenizer) -> AsyncIterator[ConstraintCompiler]:
    compiler = ConstraintCompiler(tokenizer, seconds=60.0)
    yield compiler
    await compiler.close()


@pytest.fixture
async def hasty(tokenizer: Tokenizer) -> AsyncIterator[ConstraintCompiler]:
    """Its time is enough for whatever is honest, and over soon."""
    compiler = ConstraintCompiler(tokenizer, seconds=0.3)
    yield compiler
    await compiler.close()


class Heart:
    """Beats on the event loop, as far as that is free."""

    def __init__(self) -> None:
        self.num_beats = 0
        self._task = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.01)
            self.num_beats += 1

    def stop(self) -> None:
        self._task.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_what_is_compiled_is_remembered(compiler: ConstraintCompiler) -> None:
    first = await compiler.compile(Regex("a|b"))
    assert isinstance(first, Accepted)
    assert await compiler.compile(Regex("a|b")) is first
    refusal = await compiler.compile(Regex("("))
    assert isinstance(refusal, Refused)
    assert await compiler.compile(Regex("(")) is refusal


async def test_what_makes_processes_is_kept_and_ended_with_the_server(tokenizer: Tokenizer) -> None:
    compiler = ConstraintCompiler(tokenizer, seconds=60.0)
    assert nurseries() == []
    await compiler.compile(Regex("a"))
    (nursery,) = nurseries()
    await compiler.compile(Regex("b"))
    assert nurseries() == [nursery]
    await until(lambda: checks() == [])
    waiting = asyncio.create_task(compiler.compile(ENDLESS))
    await until(lambda: len(checks()) == 1)
    await compiler.close()
    assert nurseries() == []
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("hostile", [CHAIN, ENDLESS], ids=["stack", "time"])
async def test_what_is_too_much_is_refused_and_costs_nobody_else_anything(
    hasty: ConstraintCompiler, hostile: Constraint
) -> None:
    assert isinstance(await hasty.compile(Regex("a")), Accepted)
    (nursery,) = nurseries()
    assert await hasty.compile(hostile) == TOO_COMPLEX
    await until(lambda: checks() == [])
    assert nurseries() == [nursery]
    assert isinstance(await hasty.compile(schema({"type": "object"})), Accepted)


async def test_others_are_compiled_meanwhile_and_the_loop_is_free(
    compiler: ConstraintCompiler,
) -> None:
    hostile = asyncio.create_task(compiler.compile(ENDLESS))
    await until(lambda: any(process.cpu_times().user > 0.1 for process in checks()))
    heart = Heart()
    for number in range(MAX_AT_ONCE):
        assert isinstance(await compiler.compile(Regex(f"a{number}")), Accepted)
    await until(lambda: heart.num_beats > 5)
    heart.stop()
    assert not hostile.done()
    hostile.cancel()


async def test_so_many_are_compiled_at_once_and_no_more(
    compiler: ConstraintCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_running, most = 0, 0
    check = Checkers.check

    async def counted(self: Checkers, constraint: Constraint, seconds: float) -> Accepted | Refused:
        nonlocal num_running, most
        num_running += 1
        most = max(most, num_running)
        try:
            return await check(self, constraint, seconds)
        finally:
            num_running -= 1

    monkeypatch.setattr(Checkers, "check", counted)
    await asyncio.gather(*(compiler.compile(Regex(f"a{n}")) for n in range(3 * MAX_AT_ONCE)))
    assert most == MAX_AT_ONCE


async def test_what_makes_processes_is_replaced_when_it_has_died(
    compiler: ConstraintCompiler,
) -> None:
    await compiler.compile(Regex("a"))
    (nursery,) = nurseries()
    nursery.kill()
    await until(lambda: nursery.status() == psutil.STATUS_ZOMBIE)
    assert isinstance(await compiler.compile(Regex("b")), Accepted)
    assert nurseries() != [nursery]


async def test_without_processes_the_constraint_is_not_to_blame(tokenizer: Tokenizer) -> None:
    for command in (["/bin/false"], ["/no/such/program"]):
        checkers = Checkers(tokenizer, command)
        for _ in range(2):
            with pytest.raises(CheckerGone):
                await checkers.check(Regex("a"), 60.0)
        await checkers.close()


async def test_many_who_want_the_same_wait_for_one_compilation(
    hasty: ConstraintCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Constraint] = []
    check = Checkers.check

    async def counted(self: Checkers, constraint: Constraint, seconds: float) -> Accepted | Refused:
        asked.append(constraint)
        return await check(self, constraint, seconds)

    monkeypatch.setattr(Checkers, "check", counted)
    answers = await asyncio.gather(*(hasty.compile(ENDLESS) for _ in range(32)))
    assert set(answers) == {TOO_COMPLEX}
    assert asked == [ENDLESS]


async def test_what_took_too_much_is_tried_again_after_a_while(
    hasty: ConstraintCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await hasty.compile(ENDLESS) == TOO_COMPLEX
    monkeypatch.setattr(Checkers, "check", None)  # nothing may be asked
    assert await hasty.compile(ENDLESS) == TOO_COMPLEX
    monkeypatch.setattr(compiler_module, "SECONDS_OF_REFUSAL", 0.0)
    with pytest.raises(TypeError):
        await hasty.compile(ENDLESS)


async def test_work_that_nobody_waits_for_is_ended(compiler: ConstraintCompiler) -> None:
    waiting = [asyncio.create_task(compiler.compile(ENDLESS)) for _ in range(3)]
    await until(lambda: any(process.cpu_times().user > 0.1 for process in checks()))
    (process,) = checks()
    for task in waiting[:2]:
        task.cancel()
    await asyncio.wait(waiting[:2])
    assert process.is_running()
    assert not waiting[2].done()
    waiting[2].cancel()
    await until(lambda: checks() == [])
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


async def test_a_check_has_limited_memory_and_low_priority(compiler: ConstraintCompiler) -> None:
    waiting = asyncio.create_task(compiler.compile(ENDLESS))
    await until(lambda: any(process.cpu_times().user > 0.1 for process in checks()))
    (process,) = checks()
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    (line,) = (line for line in limits.splitlines() if line.startswith("Max address space"))
    assert 2**30 < int(line.split()[3]) < 2**32
    assert process.nice() > 0
    waiting.cancel()
