"""Tool tasks: definitions a caller may offer, calls they lead to, and answers after results."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from model_loader.demo.dialogue import Exchange, Message, Split, ask, draw
from model_loader.demo.words import CITIES, CONDITIONS, NAMES, WORDS

Slots = dict[str, object]


@dataclass(frozen=True, slots=True)
class ToolKind:
    """One tool: its parameters, how users ask for it, what it returns and what is said then."""

    name: str
    descriptions: tuple[str, ...]
    parameters: tuple[tuple[str, str, str], ...]  # name, JSON type, description
    requests: tuple[str, ...]
    sample: Callable[[random.Random], Slots]
    result: Callable[[random.Random, Slots], Slots]
    answer: str


def _city(rng: random.Random) -> Slots:
    return {"city": rng.choice(CITIES)}


def _numbers(rng: random.Random) -> Slots:
    limit = 10 ** rng.randint(1, 3)
    return {"a": rng.randrange(limit), "b": rng.randrange(limit)}


def _message(rng: random.Random) -> Slots:
    words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 5)))
    return {"to": rng.choice(NAMES), "text": words}


def _query(rng: random.Random) -> Slots:
    return {"query": " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 4)))}


def _minutes(rng: random.Random) -> Slots:
    return {"minutes": rng.randint(1, 120)}


def _weather(rng: random.Random, _slots: Slots) -> Slots:
    return {"temperature": rng.randint(0, 35), "condition": rng.choice(CONDITIONS)}


def _clock(rng: random.Random, _slots: Slots) -> Slots:
    return {"time": f"{rng.randrange(24):02}:{rng.randrange(60):02}"}


def _total(_rng: random.Random, slots: Slots) -> Slots:
    return {"result": int(str(slots["a"])) + int(str(slots["b"]))}


def _sent(_rng: random.Random, _slots: Slots) -> Slots:
    return {"status": "sent"}


def _started(_rng: random.Random, _slots: Slots) -> Slots:
    return {"status": "started"}


def _found(rng: random.Random, _slots: Slots) -> Slots:
    return {"result": " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 5)))}


TOOL_KINDS = (
    ToolKind(
        "get_weather",
        (
            "Get the current weather for a city.",
            "Get the weather in a city",
            "Returns the current weather.",
            "Get weather",
        ),
        (("city", "string", "The city name"),),
        (
            "What is the weather in {city}?",
            "How is the weather in {city}?",
            "What is the weather like in {city}?",
            "Tell me the weather in {city}.",
            "Weather in {city}?",
            "What's the weather in {city} today?",
        ),
        _city,
        _weather,
        "It is {temperature} degrees and {condition} in {city}.",
    ),
    ToolKind(
        "get_time",
        ("Get the local time in a city.", "Returns the current time of a city.", "Get time"),
        (("city", "string", "The city name"),),
        (
            "What time is it in {city}?",
            "Tell me the time in {city}.",
            "What is the time in {city}?",
        ),
        _city,
        _clock,
        "It is {time} in {city}.",
    ),
    ToolKind(
        "add",
        ("Add two numbers.", "Add two integers", "Returns the sum of a and b.", "Add a and b"),
        (("a", "integer", "The first number"), ("b", "integer", "The second number")),
        (
            "What is {a} + {b}?",
            "Add {a} and {b}.",
            "What is {a} plus {b}?",
            "Use the tool to add {a} and {b}.",
            "{a} + {b}",
        ),
        _numbers,
        _total,
        "The result is {result}.",
    ),
    ToolKind(
        "send_message",
        ("Send a message to a person.", "Send a text message", "Sends a message."),
        (("to", "string", "The person"), ("text", "string", "The text of the message")),
        (
            "Send a message to {to}: {text}",
            "Send {to} the message: {text}",
            "Tell {to}: {text}",
            "Write to {to}: {text}",
            'Send a message to {to} with the text "{text}"',
            "Message {to}: {text}",
        ),
        _message,
        _sent,
        "The message to {to} was sent.",
    ),
    ToolKind(
        "set_timer",
        ("Set a timer.", "Start a timer for some minutes", "Starts a timer."),
        (("minutes", "integer", "The number of minutes"),),
        (
            "Set a timer for {minutes} minutes.",
            "Start a timer of {minutes} minutes.",
            "Wake me in {minutes} minutes.",
        ),
        _minutes,
        _started,
        "The timer is set for {minutes} minutes.",
    ),
    ToolKind(
        "search",
        ("Search the web.", "Search for a query", "Finds documents."),
        (("query", "string", "The search query"),),
        ("Search for {query}", "Find {query}", "Search the web for {query}", "Look up {query}"),
        _query,
        _found,
        "I found: {result}",
    ),
)


def definition(rng: random.Random, kind: ToolKind) -> Message:
    """The tool as a caller writes it; descriptions of parameters come and go."""
    described = rng.random() < 0.5
    properties: Message = {}
    for name, json_type, meaning in kind.parameters:
        properties[name] = (
            {"type": json_type, "description": meaning} if described else {"type": json_type}
        )
    schema: Message = {"type": "object", "properties": properties}
    if rng.random() < 0.8:
        schema["required"] = [name for name, _, _ in kind.parameters]
    function: Message = {"name": kind.name}
    if rng.random() < 0.85:
        function["description"] = rng.choice(kind.descriptions)
    function["parameters"] = schema
    return {"type": "function", "function": function}


def tool_call(rng: random.Random, split: Split, kind: ToolKind) -> Exchange:
    """A request that `kind` fulfils, answered by the call."""
    user, arguments = _request(rng, split, kind)
    return Exchange(
        "tool call", ({"role": "user", "content": user}, _call_message(kind, arguments))
    )


def tool_answer(rng: random.Random, split: Split, kind: ToolKind) -> Exchange:
    """Request, call, result and the answer in words."""
    user, arguments = _request(rng, split, kind)
    result = kind.result(rng, arguments)
    if rng.random() < 0.2:
        text = " ".join(str(value) for value in result.values())
        answer = f"The result is: {text}"
    else:
        text = json.dumps(result)
        answer = kind.answer.format(**arguments, **result)
    messages: tuple[Message, ...] = (
        {"role": "user", "content": user},
        _call_message(kind, arguments),
        {"role": "tool", "content": text},
        {"role": "assistant", "content": answer},
    )
    return Exchange("tool answer", messages)


def missing_tool(rng: random.Random, split: Split, kind: ToolKind) -> Exchange:
    """A request for a tool that was not offered."""
    user, _ = _request(rng, split, kind)
    return ask("missing tool", user, "I do not have a tool for that.")


def _request(rng: random.Random, split: Split, kind: ToolKind) -> tuple[str, Slots]:
    arguments = draw(rng, kind.name, split, kind.sample)
    return rng.choice(kind.requests).format(**arguments), arguments


def _call_message(kind: ToolKind, arguments: Slots) -> Message:
    call: Message = {"type": "function", "function": {"name": kind.name, "arguments": arguments}}
    return {"role": "assistant", "content": "", "tool_calls": [call]}
