"""One question and its reply in the terms of no dialect, so that all dialects can be compared."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2

WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "Get the current weather for a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Which city"}},
        "required": ["city"],
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A greedy request: one turn of a user, or a prompt where the dialect has only those."""

    text: str
    num_tokens: int = 64
    has_tool: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a reply said, how it ended (None where a dialect does not tell), and its counts."""

    text: str
    calls: tuple[tuple[str, str], ...] = ()
    reason: str | None
    prompt_tokens: int
    completion_tokens: int


class Dialect(Protocol):
    """Asks a server under test, and checks all that comes with the types of the dialect's client.

    `name` is for people. `has_tools`: whether calls have a place in it.
    """

    name: str
    has_tools: bool

    def whole(self, client: httpx2.Client, asked: Asked) -> Told: ...

    def streamed(self, client: httpx2.Client, asked: Asked) -> Told: ...

    def streaming_request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        """Path and body of what `streamed` asks."""
        ...


def post(client: httpx2.Client, path: str, body: dict[str, Any]) -> httpx2.Response:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response


def event_data(response: httpx2.Response) -> list[str]:
    """The data of all server-sent events but the end mark, which must be the last."""
    assert response.headers["content-type"].startswith("text/event-stream")
    data = [line.removeprefix("data: ") for line in response.text.split("\n") if "data: " in line]
    assert data.pop() == "[DONE]"
    return data


def canonical(arguments: Any) -> str:
    """Arguments as text that does not depend on how they were written."""
    value = json.loads(arguments) if isinstance(arguments, str) else arguments
    return json.dumps(value, sort_keys=True)


class CallPieces:
    """Puts together the calls that a stream tells in OpenAI's pieces."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._arguments: dict[int, str] = {}

    def add(self, index: int, name: str | None, arguments: str | None) -> None:
        if name is not None:
            self._names[index] = name
            self._arguments[index] = ""
        self._arguments[index] += arguments or ""

    def told(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, canonical(self._arguments[i])) for i, name in self._names.items())
