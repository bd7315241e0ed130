"""Dialogues for training and evaluation: tasks mixed into conversations of a wanted length.

Pure: the same random state gives the same dialogue. Lengths are counted by a function that the
caller passes, so this file knows neither the template nor the tokenizer.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from model_loader.demo.dialogue import Dialogue, Exchange, Message
from model_loader.demo.extraction_tasks import extraction
from model_loader.demo.recall_tasks import (
    SUBJECTS,
    Secret,
    recall,
    recall_in_text,
    secret,
    tell,
    unknown_recall,
)
from model_loader.demo.text_tasks import arithmetic, counting, echo, fallback, greeting
from model_loader.demo.tool_tasks import (
    TOOL_KINDS,
    ToolKind,
    definition,
    missing_tool,
    tool_answer,
    tool_call,
)

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a demo assistant.",
    "Answer briefly.",
    "You are a small demo model.",
    "You are a careful assistant. Answer briefly.",
    "Be concise.",
    "You are a test assistant.",
)

QUESTION_ROOM = 40  # tokens kept free for the last question and its answer
FILLER_ROOM = 120  # the same, and for the error of the estimated filler length


@dataclass(frozen=True, slots=True)
class Mix:
    """What a training row looks like: its length budget and the share of each task."""

    tokens: int
    most_echo_words: int = 12
    most_count_steps: int = 30
    echo: float = 0.44
    recall: float = 0.17
    arithmetic: float = 0.22
    counting: float = 0.07
    extraction: float = 0.13
    greeting: float = 0.015
    fallback: float = 0.03
    tool_dialogues: float = 0.22
    long_recall_dialogues: float = 0.0


Measure = Callable[[Dialogue], int]


def training_dialogue(rng: random.Random, mix: Mix, measure: Measure) -> Dialogue:
    """Exchanges of many tasks until the next one would pass the budget of `mix`."""
    if rng.random() < mix.long_recall_dialogues:
        return _long_recall(rng, mix, measure)
    with_tools = rng.random() < mix.tool_dialogues
    plan = _ToolTurns(rng) if with_tools else _TextTurns(rng, mix)
    return _fill(plan.opening(), plan.next_exchange, mix.tokens, measure)


def _fill(
    start: Dialogue, next_exchange: Callable[[], Exchange], budget: int, measure: Measure
) -> Dialogue:
    dialogue = extend(start, next_exchange())
    while True:
        longer = extend(dialogue, next_exchange())
        if measure(longer) > budget:
            return dialogue
        dialogue = longer


def extend(dialogue: Dialogue, exchange: Exchange) -> Dialogue:
    """The dialogue with one more exchange; it now shows that exchange's skill."""
    return Dialogue(exchange.skill, dialogue.messages + exchange.messages, dialogue.tools)


def opening(rng: random.Random, tools: tuple[Message, ...] = ()) -> Dialogue:
    if rng.random() < 0.3:
        return Dialogue("", ({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)},), tools)
    return Dialogue("", (), tools)


class _TextTurns:
    """Turns without tools; facts told earlier in the same conversation are asked for later."""

    def __init__(self, rng: random.Random, mix: Mix) -> None:
        self._rng = rng
        self._mix = mix
        self._facts: dict[str, Secret] = {}

    def opening(self) -> Dialogue:
        return opening(self._rng)

    def next_exchange(self) -> Exchange:
        rng, mix = self._rng, self._mix
        names = ("echo", "recall", "arithmetic", "counting", "extraction", "greeting", "fallback")
        task = rng.choices(names, weights=[getattr(mix, name) for name in names])[0]
        if task == "echo":
            return echo(rng, "train", mix.most_echo_words)
        if task == "recall":
            return self._recall_turn()
        if task == "counting":
            return counting(rng, "train", mix.most_count_steps)
        plain = {
            "arithmetic": arithmetic,
            "extraction": extraction,
            "greeting": greeting,
            "fallback": fallback,
        }
        return plain[task](rng, "train")

    def _recall_turn(self) -> Exchange:
        rng = self._rng
        choice = rng.random()
        if choice < 0.15:
            fact = secret(rng, "train")
            self._facts[fact.subject] = fact
            return recall_in_text(rng, fact, rng.randint(0, 3), rng.randint(0, 5))
        if self._facts and choice < 0.7:
            return recall(rng, self._facts[rng.choice(sorted(self._facts))])
        subject = rng.choice(SUBJECTS)
        if subject not in self._facts and choice > 0.95:
            return unknown_recall(rng, subject)
        fact = secret(rng, "train")
        self._facts[fact.subject] = fact
        return tell(rng, fact)


class _ToolTurns:
    """Turns of a conversation that offers one to three tools."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._offered = rng.sample(TOOL_KINDS, rng.choices((1, 2, 3), weights=(4, 4, 2))[0])

    def opening(self) -> Dialogue:
        return opening(self._rng, tuple(definition(self._rng, kind) for kind in self._offered))

    def next_exchange(self) -> Exchange:
        rng = self._rng
        choice = rng.random()
        if choice < 0.33:
            return tool_call(rng, "train", rng.choice(self._offered))
        if choice < 0.62:
            return tool_answer(rng, "train", rng.choice(self._offered))
        if choice < 0.87:
            return missing_tool(rng, "train", self._missing_kind())
        return rng.choice((echo, greeting, fallback, extraction))(rng, "train")

    def _missing_kind(self) -> ToolKind:
        return self._rng.choice([kind for kind in TOOL_KINDS if kind not in self._offered])


def _long_recall(rng: random.Random, mix: Mix, measure: Measure) -> Dialogue:
    """Facts near the start, text or turns up to the budget, and the questions at the end."""
    fact = secret(rng, "train")
    if rng.random() < 0.4:
        return recall_after_filler(
            rng, opening(rng), fact, mix.tokens - FILLER_ROOM, measure, most_before=5
        )
    others = [secret(rng, "train", subject) for subject in SUBJECTS if subject != fact.subject]
    facts = [*rng.sample(others, rng.randint(0, len(others))), fact]
    return recall_after_turns(rng, opening(rng), facts, mix, measure)


def recall_after_filler(
    rng: random.Random,
    start: Dialogue,
    fact: Secret,
    tokens: int,
    measure: Measure,
    most_before: int,
) -> Dialogue:
    """One message of about `tokens` tokens; up to `most_before` sentences precede the fact."""
    short, long = (measure(extend(start, recall_in_text(rng, fact, 0, size))) for size in (0, 20))
    sentences = max(0, (tokens - short) * 20 // (long - short))
    before = rng.randint(0, min(most_before, sentences))
    return extend(start, recall_in_text(rng, fact, before, sentences - before))


def recall_after_turns(
    rng: random.Random, start: Dialogue, facts: list[Secret], mix: Mix, measure: Measure
) -> Dialogue:
    """The facts in the first turns, other tasks in between, then a question for each fact."""
    between = _TextTurns(rng, Mix(mix.tokens, recall=0.0))
    told = start
    for fact in rng.sample(facts, len(facts)):
        told = extend(told, tell(rng, fact))
    room = QUESTION_ROOM * len(facts)
    dialogue = _fill(told, between.next_exchange, mix.tokens - room, measure)
    for fact in facts:
        dialogue = extend(dialogue, recall(rng, fact))
    return dialogue
