"""Processes of grammars in tests: what to ask them, and how to find them."""

import time
from collections.abc import Callable

import psutil
from llguidance import LLMatcher

from engine.grammars.interface import Matcher
from engine.grammars.processes import GrammarProcesses

DEADLINE = 60
END = 257
LETTERS = LLMatcher.grammar_from_regex("[a-z]+!")
NAMES = LLMatcher.grammar_from_json_schema(
    '{"type": "array", "items": {"enum": ["Ann", "Bob"]}, "minItems": 3, "maxItems": 5}'
)

Start = Callable[..., GrammarProcesses]


def begin(grammars: GrammarProcesses, source: str) -> Matcher:
    return grammars.compile(source).result(DEADLINE).new_matcher()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def known(grammars: GrammarProcesses, matcher: Matcher) -> Matcher:
    """As soon as it is."""

    def is_known() -> bool:
        grammars.settle()
        return matcher.look()

    until(is_known)
    return matcher


def nursery() -> psutil.Process:
    (process,) = psutil.Process().children()
    return process


def families() -> list[psutil.Process]:
    """The processes of single grammars."""
    return nursery().children()
