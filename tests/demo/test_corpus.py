"""The synthetic dialogues are reproducible, split for good, and right."""

import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from model_loader.demo.corpus import Mix, training_dialogue
from model_loader.demo.dialogue import Dialogue, Exchange, Split, split_of
from model_loader.demo.extraction_tasks import extraction
from model_loader.demo.recall_tasks import Secret, recall_in_text, secret
from model_loader.demo.suites import SUITES
from model_loader.demo.text_tasks import arithmetic, counting, echo, fallback
from model_loader.demo.tool_tasks import TOOL_KINDS, ToolKind, tool_answer, tool_call

MIX = Mix(2000, tool_dialogues=0.5, long_recall_dialogues=0.2)
Task = Callable[[random.Random, Split], Exchange]


def characters(dialogue: Dialogue) -> int:
    """A stand-in for token counts."""
    return sum(len(json.dumps(message)) for message in dialogue.messages)


def exchanges(task: Task, split: Split = "train", count: int = 200) -> list[Exchange]:
    rng = random.Random(7)
    return [task(rng, split) for _ in range(count)]


def list_of(value: object) -> list[dict[str, Any]]:
    assert isinstance(value, list)
    return value


def question(exchange: Exchange) -> str:
    return str(exchange.messages[0]["content"])


def answer(exchange: Exchange) -> str:
    return str(exchange.messages[-1]["content"])


def test_the_same_seed_gives_the_same_dialogues() -> None:
    first, second = (
        [training_dialogue(random.Random(seed), MIX, characters) for seed in range(30)]
        for _ in range(2)
    )
    assert first == second


def test_dialogues_of_different_seeds_differ() -> None:
    dialogues = [training_dialogue(random.Random(seed), MIX, characters) for seed in range(30)]
    assert len({json.dumps(dialogue.messages) for dialogue in dialogues}) == 30


@pytest.mark.parametrize("task", [echo, arithmetic, counting, extraction, fallback])
def test_training_and_held_out_questions_never_meet(task: Task) -> None:
    trained = {question(exchange) for exchange in exchanges(task, "train", 1500)}
    held_out = {question(exchange) for exchange in exchanges(task, "held_out", 300)}
    assert not trained & held_out


@pytest.mark.parametrize("kind", TOOL_KINDS, ids=lambda kind: kind.name)
def test_arguments_of_tool_calls_are_held_out_too(kind: ToolKind) -> None:
    def arguments(split: Split) -> set[str]:
        rng = random.Random(3)
        calls = [tool_call(rng, split, kind).messages[1]["tool_calls"] for _ in range(300)]
        return {json.dumps(call) for call in calls}

    assert not arguments("train") & arguments("held_out")


def test_code_words_are_held_out_too() -> None:
    rng = random.Random(3)
    trained, held_out = (
        {secret(rng, split, "code word").value for _ in range(500)}
        for split in ("train", "held_out")
    )
    assert not trained & held_out


def test_the_split_does_not_depend_on_the_process() -> None:
    held_out = [number for number in range(16) if split_of("echo", f"word {number}") == "held_out"]
    assert held_out == [2, 7]


def test_echo_answers_with_the_text_asked_for() -> None:
    for exchange in exchanges(echo):
        assert answer(exchange) in question(exchange)
        assert 1 <= len(answer(exchange).split()) <= 12


def test_sums_and_differences_are_right() -> None:
    for exchange in exchanges(arithmetic):
        asked = question(exchange)
        first, second = map(int, re.findall(r"\d+", asked))
        if asked.startswith("Subtract"):
            first, second = second, first
        if any(mark in asked for mark in ("+", "plus", "Add")):
            assert answer(exchange) == f"{first} + {second} = {first + second}"
        else:
            assert answer(exchange) == f"{first} - {second} = {first - second}"


def test_counting_runs_from_the_first_to_the_last_number() -> None:
    for exchange in exchanges(counting):
        bounds = [int(number) for number in re.findall(r"\d+", question(exchange))]
        first, last = (1, *bounds) if len(bounds) == 1 else bounds
        assert [int(number) for number in answer(exchange).split(", ")] == list(
            range(first, last + 1)
        )


def test_extracted_json_holds_only_what_the_text_says() -> None:
    for exchange in exchanges(extraction):
        for key, value in json.loads(answer(exchange)).items():
            assert key in question(exchange)
            assert str(value) in question(exchange)


def test_recall_answers_with_the_fact() -> None:
    fact = Secret("code word", "falcon")
    exchange = recall_in_text(random.Random(1), fact, before=3, after=9)
    assert answer(exchange) == "The code word is falcon."
    assert "code word is falcon." in question(exchange)
    assert question(exchange).count(".") >= 13


@pytest.mark.parametrize("kind", TOOL_KINDS, ids=lambda kind: kind.name)
def test_tool_calls_name_the_tool_and_carry_values_of_the_request(kind: ToolKind) -> None:
    rng = random.Random(5)
    for _ in range(50):
        exchange = tool_answer(rng, "train", kind)
        (call,) = list_of(exchange.messages[1]["tool_calls"])
        function = call["function"]
        assert function["name"] == kind.name
        assert list(function["arguments"]) == [name for name, _, _ in kind.parameters]
        assert all(str(value) in question(exchange) for value in function["arguments"].values())


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_ends_with_an_answer(suite: str) -> None:
    dialogue = SUITES[suite](random.Random(2), characters)
    assert dialogue.messages[-1]["role"] == "assistant"
    assert dialogue.messages[-2]["role"] in ("user", "tool")
