"""Whatever a grammar does to its own process, no step and no other reply feels it."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from llguidance import LLMatcher

from engine.confinement import NICENESS
from engine.grammars.processes import GrammarProcesses
from sampling.grammar import InvalidGrammar
from sampling.grammar_matcher import GrammarStuck
from tests.engine.grammars.support import (
    DEADLINE,
    END,
    LETTERS,
    NAMES,
    Start,
    begin,
    families,
    known,
    nursery,
    until,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
AMBIGUOUS = "start: e\ne: /[a-z]/ | " + " | ".join("e " * count for count in range(2, 12))
"""Every further letter takes longer than all before it."""
HOLDER = """
import sys
from engine.grammars.nursery import nursery_command
from engine.grammars.processes import GrammarProcesses
grammars = GrammarProcesses(nursery_command(sys.argv[1], 60.0))
matcher = grammars.compile("start: e\\ne: /[a-z]/ | e e").result().new_matcher()
print("ready", flush=True)
for _ in range(10_000):
    matcher.accept(97)
    while not matcher.look():
        grammars.wait(1.0)
"""


def test_a_step_waits_for_no_grammar_that_does_not_answer(grammars: GrammarProcesses) -> None:
    slow = begin(grammars, LETTERS)
    (process,) = families()
    quick = begin(grammars, LLMatcher.grammar_from_regex("[ab]{9}"))
    process.send_signal(signal.SIGSTOP)
    slow.accept(ord("a"))
    for _ in range(3):
        grammars.settle()
        known(grammars, quick).accept(ord("b"))
        assert not slow.look()
    process.send_signal(signal.SIGCONT)
    assert known(grammars, slow).forced_id is None
    slow.accept(ord("!"))
    assert known(grammars, slow).forced_id == END


def test_what_takes_too_much_time_ends_its_own_replies_only(start: Start) -> None:
    grammars = start(0.1)
    ambiguous, sound = begin(grammars, AMBIGUOUS), begin(grammars, LETTERS)
    with pytest.raises(GrammarStuck, match="too much time"):
        for _ in range(2000):
            known(grammars, ambiguous).accept(ord("a"))
    sound.accept(ord("a"))
    assert known(grammars, sound).forced_id is None
    again = begin(grammars, AMBIGUOUS)  # in a new process
    again.accept(ord("a"))
    assert known(grammars, again).forced_id is None


def test_what_takes_too_much_stack_fails_alone(grammars: GrammarProcesses) -> None:
    def nested(depth: int) -> str:
        rules = "\n".join(f"r{number}: r{number + 1}" for number in range(depth))
        return f'start: r0\n{rules}\nr{depth}: "a"'

    sound = begin(grammars, LETTERS)
    with pytest.raises(InvalidGrammar):
        grammars.compile(nested(100_000)).result(DEADLINE)
    assert begin(grammars, nested(1500)).forced_id == ord("a")
    sound.accept(ord("a"))
    assert known(grammars, sound).forced_id is None


def test_the_death_of_a_process_ends_its_replies_and_the_next_find_another(
    grammars: GrammarProcesses,
) -> None:
    asking, idle = begin(grammars, LETTERS), begin(grammars, LETTERS)
    (process,) = families()
    process.send_signal(signal.SIGSTOP)
    asking.accept(ord("a"))
    process.kill()
    with pytest.raises(GrammarStuck):
        known(grammars, asking)
    idle.accept(ord("a"))
    with pytest.raises(GrammarStuck):
        known(grammars, idle)
    third = begin(grammars, LETTERS)
    third.accept(ord("a"))
    assert known(grammars, third).forced_id is None


def test_the_nursery_is_started_again_when_it_has_died(grammars: GrammarProcesses) -> None:
    begin(grammars, LETTERS)
    nursery().kill()
    until(lambda: nursery().status() == psutil.STATUS_ZOMBIE)
    assert begin(grammars, NAMES).forced_id is not None
    assert len(families()) == 1


def test_processes_give_way_to_others(grammars: GrammarProcesses) -> None:
    begin(grammars, LETTERS)
    (process,) = families()
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    (line,) = (line for line in limits.splitlines() if line.startswith("Max address space"))
    assert line.split()[3] != "unlimited"
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text().strip() == "1000"
    assert process.nice() >= NICENESS


def test_nothing_outlives_a_worker_that_is_killed(checkpoint: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(checkpoint)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        descendants = psutil.Process(holder.pid).children(recursive=True)
        assert len(descendants) == 2
        holder.kill()
    until(lambda: not any(process.is_running() for process in descendants))
