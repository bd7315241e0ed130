"""Whatever is sent as a form is refused or can be followed for a while; neither harms anybody."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.grammars.nursery import nursery_command
from engine.grammars.processes import GrammarProcesses
from model_loader.tokenizer import Tokenizer
from sampling.grammar import InvalidGrammar
from sampling.grammar_matcher import GrammarStuck
from server.constraints import Constraint, Gbnf, JsonSchema, Lark, Regex
from server.grammars.compiler import ConstraintCompiler
from server.grammars.messages import Accepted, Refused
from tests.engine.grammars.support import DEADLINE, known
from tests.server.grammars.hostile import CHAIN, ENDLESS, nurseries
from tests.tiny_tokenizer import write_tokenizer

pytestmark = pytest.mark.slow

SECONDS = 0.5
NUM_TOKENS = 40


def schema(value: dict[str, Any]) -> JsonSchema:
    return JsonSchema(json.dumps(value))


def chain_of_references(length: int) -> dict[str, Any]:
    links = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**links, f"d{length}": {"type": "boolean"}}}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "boolean"}
    for _ in range(depth):
        value = {"type": "object", "properties": {"a": value}, "required": ["a"]}
    return value


PATTERNS = [
    "^(a+)+b$",
    "(a|b)*a(a|b){25}",
    "((a{1,1000}){1,1000}){1,1000}",
    "(" * 20_000 + "a" + ")" * 20_000,
    "^+[a-z]$",
    "^{2}t",
    "(?<=x)*y",
    "(?R)",
    r"(a)\1",
    "\x00",
    r"\u0000",
    "[a",
    "(?P<n>a)(?P=n)",
    "a{100000000}",
    "b?a{100000000}",
    "(.|\n)*a(.|\n){400}b(.|\n)*",
    "(?i:" * 500 + "a" + ")" * 500,
]
SCHEMAS: list[dict[str, Any]] = [
    {"enum": [f"v{number}" for number in range(20_000)]},
    {"enum": ["x" * 200_000, "y"]},
    {"const": "x" * 200_000},
    {"type": "string", "maxLength": 10**9},
    {"type": "array", "minItems": 10**6, "items": {"const": 1}},
    {"type": "object", "patternProperties": {"^(a+)+$": {"type": "boolean"}}},
    {"anyOf": [{"type": "object", "properties": {f"p{n}": {}}} for n in range(500)]},
    {"allOf": [{"type": "object", "properties": {f"p{n}": {}}} for n in range(200)]},
    {"type": "integer", "minimum": -(10**300), "maximum": 10**300},
    {"type": "number", "multipleOf": 1e-300},
    {"$ref": "#", "$defs": {}},
    {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"type": "array", "items": {"$ref": "#"}}]},
    chain_of_references(5000),
    nested(64),
    {"type": "object", "properties": {"x" * 100_000: {}, "\x00": {}, "__proto__": {}}},
]
GRAMMARS: list[Constraint] = [
    CHAIN,
    Lark(""),
    Lark('start: start "a" | "a"'),
    Lark("start: a\na: b\nb: a | "),
    Lark('start: "a"{1,1000000000}'),
    Lark('start: "b"? "a"{1000000}'),
    Lark("start: e\ne: /[a-z]/ | " + " | ".join("e " * count for count in range(2, 12))),
    Lark("start: " + "a " * 200 + '\na: | "x" | a a'),
    Lark("start: /[a-z]/ e\ne: f e | /[a-z]/\nf: " + " | ".join(["/[a-z]/"] * 5000)),
    Lark("start: " + "(" * 60_000 + '"a"' + ")" * 60_000),
    Lark('start: %json {"type": "object", "properties": {' + ",".join(["{"] * 1000)),
    Lark("start: @other\nother: %lark {\n" * 300),
    Gbnf("   "),
    Gbnf('root ::= root "a" | "a"'),
    Gbnf('root ::= a\na ::= b\nb ::= a | ""'),
    Gbnf('root ::= "a"{1,1000000000}'),
    Gbnf("root ::= " + "(" * 60_000 + '"a"' + ")" * 60_000),
    Gbnf("root ::= " + "\n".join(f"r{n}\nr{n} ::= " for n in range(5000)) + '"a"'),
]
HOSTILE = [
    *(Regex(pattern) for pattern in PATTERNS),
    *(schema({"type": "string", "pattern": pattern}) for pattern in PATTERNS),
    *map(schema, SCHEMAS),
    ENDLESS,
    *GRAMMARS,
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture
async def compiler(checkpoint: Path) -> AsyncIterator[ConstraintCompiler]:
    compiler = ConstraintCompiler(Tokenizer.from_directory(checkpoint), SECONDS)
    yield compiler
    await compiler.close()


@pytest.fixture
def grammars(checkpoint: Path) -> Iterator[GrammarProcesses]:
    grammars = GrammarProcesses(nursery_command(str(checkpoint), SECONDS))
    yield grammars
    grammars.close()


def follow(grammars: GrammarProcesses, source: str) -> str:
    """How it ended."""
    try:
        matcher = grammars.compile(source).result(DEADLINE).new_matcher()
        choose = random.Random(1)
        for _ in range(NUM_TOKENS):
            ids = known(grammars, matcher).next_ids
            token_id = ids if isinstance(ids, int) else int(choose.choice(np.flatnonzero(ids)))
            if token_id >= 256:
                return "ended"
            matcher.accept(token_id)
    except (InvalidGrammar, GrammarStuck) as error:
        return f"stuck: {error}"
    return "goes on"


async def test_hostile_forms_are_refused_or_followed_and_what_is_honest_stays_possible(
    compiler: ConstraintCompiler, grammars: GrammarProcesses
) -> None:
    assert isinstance(await compiler.compile(Regex("a|b")), Accepted)
    before = nurseries()
    num_followed = 0
    for constraint in HOSTILE:
        answer = await compiler.compile(constraint)
        if isinstance(answer, Refused):
            assert 0 < len(answer.reason) <= 200
        else:
            await asyncio.to_thread(follow, grammars, answer.source)
            num_followed += 1
    assert num_followed > 10
    assert nurseries() == before
    honest = await compiler.compile(Regex("[ab]{3}"))
    assert isinstance(honest, Accepted)
    assert follow(grammars, honest.source) == "ended"
