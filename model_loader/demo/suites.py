"""Held-out prompts, one suite for each skill; their slot values never occur in training."""

import random
from collections.abc import Callable

from model_loader.demo.corpus import (
    Measure,
    Mix,
    extend,
    opening,
    recall_after_filler,
    recall_after_turns,
)
from model_loader.demo.dialogue import Dialogue, Exchange, Split
from model_loader.demo.extraction_tasks import extraction
from model_loader.demo.recall_tasks import recall, recall_in_text, secret, tell
from model_loader.demo.text_tasks import arithmetic, counting, echo, fallback, greeting
from model_loader.demo.tool_tasks import (
    TOOL_KINDS,
    ToolKind,
    definition,
    missing_tool,
    tool_answer,
    tool_call,
)

Suite = Callable[[random.Random, Measure], Dialogue]
ToolTask = Callable[[random.Random, Split, ToolKind], Exchange]
SHORTEST_LONG_RECALL, LONGEST_LONG_RECALL = 1060, 1500  # tokens of the whole dialogue


def _single(task: Callable[[random.Random, Split], Exchange]) -> Suite:
    return lambda rng, _measure: extend(opening(rng), task(rng, "held_out"))


def _in_conversation(task: Callable[[random.Random, Split], Exchange]) -> Suite:
    """The task as the last turn after three turns of other tasks."""

    def dialogue(rng: random.Random, _measure: Measure) -> Dialogue:
        conversation = opening(rng)
        for earlier in rng.choices((echo, arithmetic, extraction, greeting), k=3):
            conversation = extend(conversation, earlier(rng, "held_out"))
        return extend(conversation, task(rng, "held_out"))

    return dialogue


def _short_recall(rng: random.Random, _measure: Measure) -> Dialogue:
    fact = secret(rng, "held_out")
    if rng.random() < 0.5:
        return extend(opening(rng), recall_in_text(rng, fact, rng.randint(0, 3), rng.randint(0, 6)))
    conversation = extend(opening(rng), tell(rng, fact))
    for earlier in rng.choices((echo, arithmetic, extraction, greeting), k=3):
        conversation = extend(conversation, earlier(rng, "held_out"))
    return extend(conversation, recall(rng, fact))


def _long_text_recall(rng: random.Random, measure: Measure) -> Dialogue:
    tokens = rng.randint(SHORTEST_LONG_RECALL, LONGEST_LONG_RECALL)
    fact = secret(rng, "held_out", "code word")
    return recall_after_filler(rng, opening(rng), fact, tokens, measure, most_before=0)


def _long_chat_recall(rng: random.Random, measure: Measure) -> Dialogue:
    tokens = rng.randint(SHORTEST_LONG_RECALL + 80, LONGEST_LONG_RECALL)
    fact = secret(rng, "held_out", "code word")
    return recall_after_turns(rng, opening(rng), [fact], Mix(tokens), measure)


def _with_tools(task: ToolTask) -> Suite:
    def dialogue(rng: random.Random, _measure: Measure) -> Dialogue:
        offered = rng.sample(TOOL_KINDS, rng.randint(1, 3))
        tools = tuple(definition(rng, kind) for kind in offered)
        return extend(opening(rng, tools), task(rng, "held_out", rng.choice(offered)))

    return dialogue


def _without_tool(rng: random.Random, _measure: Measure) -> Dialogue:
    offered, missing = rng.sample(TOOL_KINDS, 2)
    return extend(opening(rng, (definition(rng, offered),)), missing_tool(rng, "held_out", missing))


SUITES: dict[str, Suite] = {
    "echo": _single(echo),
    "echo, later turn": _in_conversation(echo),
    "recall, short": _short_recall,
    "recall, 1,000+ tokens of text": _long_text_recall,
    "recall, 1,000+ tokens of turns": _long_chat_recall,
    "extraction": _single(extraction),
    "extraction, later turn": _in_conversation(extraction),
    "tool call": _with_tools(tool_call),
    "tool answer": _with_tools(tool_answer),
    "missing tool": _without_tool,
    "arithmetic": _single(arithmetic),
    "counting": _single(counting),
    "greeting": _single(greeting),
    "fallback": _single(fallback),
}
