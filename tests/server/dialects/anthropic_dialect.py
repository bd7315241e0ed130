"""Anthropic's dialect."""

import json
from typing import Any

import httpx2
from anthropic.types import Message

from tests.server.anthropic.asking import added_up, events_in
from tests.server.dialects.told import WEATHER, Asked, Told, canonical, post

REASONS = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls"}
TOOL = {
    "name": WEATHER["name"],
    "description": WEATHER["description"],
    "input_schema": WEATHER["parameters"],
}


class Messages:
    has_tools = True

    def __init__(self, path: str, model: str) -> None:
        self.name = path
        self._path = path
        self._model = model

    def body(self, asked: Asked) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": asked.text}],
            "max_tokens": asked.num_tokens,
            "temperature": 0,
            **({"tools": [TOOL]} if asked.has_tool else {}),
        }

    def streaming_request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        return self._path, self.body(asked) | {"stream": True}

    def whole(self, client: httpx2.Client, asked: Asked) -> Told:
        content = post(client, self._path, self.body(asked)).content
        return _told(Message.model_validate_json(content, strict=True))

    def streamed(self, client: httpx2.Client, asked: Asked) -> Told:
        return _told(added_up(events_in(post(client, *self.streaming_request(asked)).text)))


def _told(message: Message) -> Told:
    assert message.stop_reason is not None
    return Told(
        text="".join(block.text for block in message.content if block.type == "text"),
        calls=tuple(
            (block.name, canonical(json.dumps(block.input)))
            for block in message.content
            if block.type == "tool_use"
        ),
        reason=REASONS[message.stop_reason],
        prompt_tokens=message.usage.input_tokens,
        completion_tokens=message.usage.output_tokens,
    )
