"""OpenAI's dialects, wherever they are served: chat, completions, responses, lines of batches."""

import json
import time
from collections.abc import Sequence
from typing import Any

import httpx2
from openai.types import Completion, CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.server.dialects.told import WEATHER, Asked, CallPieces, Told, canonical, event_data, post
from tests.server.openai.replies import StreamedCompletion

BATCH_SECONDS = 60.0
_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


class Chat:
    """`more_types` check the same bodies and chunks for the clients of another service."""

    has_tools = True

    def __init__(
        self,
        path: str,
        model: str,
        more_types: tuple[type[BaseModel], type[BaseModel]] | None = None,
    ) -> None:
        self.name = path
        self._path = path
        self._model = model
        self._more_types = more_types

    def body(self, asked: Asked) -> dict[str, Any]:
        tools = {"tools": [{"type": "function", "function": WEATHER}]} if asked.has_tool else {}
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": asked.text}],
            "max_tokens": asked.num_tokens,
            "temperature": 0,
            **tools,
        }

    def streaming_request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        return self._path, self.body(asked) | options

    def whole(self, client: httpx2.Client, asked: Asked) -> Told:
        content = post(client, self._path, self.body(asked)).content
        if self._more_types is not None:
            self._more_types[0].model_validate_json(content)
        return told_in_chat(content)

    def streamed(self, client: httpx2.Client, asked: Asked) -> Told:
        data = event_data(post(client, *self.streaming_request(asked)))
        chunks = [ChatCompletionChunk.model_validate_json(each, strict=True) for each in data]
        if self._more_types is not None:
            for each in data:
                self._more_types[1].model_validate_json(each)
        assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
        text, reasons, calls = "", [], CallPieces()
        for choice in (choice for chunk in chunks for choice in chunk.choices):
            text += choice.delta.content or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
            for call in choice.delta.tool_calls or ():
                assert call.function is not None
                calls.add(call.index, call.function.name, call.function.arguments)
        (reason,) = reasons
        return _told(text, calls.told(), reason, chunks[-1].usage)


def told_in_chat(content: bytes) -> Told:
    reply = ChatCompletion.model_validate_json(content, strict=True)
    (choice,) = reply.choices
    calls = tuple(
        (call.function.name, canonical(call.function.arguments))
        for call in choice.message.tool_calls or ()
        if call.type == "function"
    )
    return _told(choice.message.content or "", calls, choice.finish_reason, reply.usage)


class Completions:
    has_tools = False

    def __init__(self, path: str, model: str) -> None:
        self.name = path
        self._path = path
        self._model = model

    def body(self, asked: Asked) -> dict[str, Any]:
        limits = {"max_tokens": asked.num_tokens, "temperature": 0}
        return {"model": self._model, "prompt": asked.text, **limits}

    def streaming_request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        return self._path, self.body(asked) | options

    def whole(self, client: httpx2.Client, asked: Asked) -> Told:
        content = post(client, self._path, self.body(asked)).content
        reply = Completion.model_validate_json(content, strict=True)
        (choice,) = reply.choices
        return _told(choice.text, (), choice.finish_reason, reply.usage)

    def streamed(self, client: httpx2.Client, asked: Asked) -> Told:
        data = event_data(post(client, *self.streaming_request(asked)))
        chunks = [StreamedCompletion.model_validate_json(each, strict=True) for each in data]
        choices = [choice for chunk in chunks for choice in chunk.choices]
        text = "".join(choice.text for choice in choices)
        (reason,) = [choice.finish_reason for choice in choices if choice.finish_reason]
        return _told(text, (), reason, chunks[-1].usage)


def _told(
    text: str,
    calls: tuple[tuple[str, str], ...],
    reason: str,
    usage: CompletionUsage | None,
) -> Told:
    assert usage is not None
    return Told(
        text=text,
        calls=calls,
        reason=reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )


class Responses:
    """A reason is told as far as status and output tell it.

    `more_types` check the same responses and events for the clients of another service.
    """

    has_tools = True

    def __init__(
        self,
        path: str,
        model: str,
        more_types: tuple[TypeAdapter[Any], TypeAdapter[Any]] | None = None,
    ) -> None:
        self.name = path
        self._more_types = more_types
        self._path = path
        self._model = model

    def body(self, asked: Asked) -> dict[str, Any]:
        tools = {"tools": [{"type": "function", **WEATHER}]} if asked.has_tool else {}
        limits = {"max_output_tokens": asked.num_tokens, "temperature": 0}
        return {"model": self._model, "input": asked.text, **limits, **tools}

    def streaming_request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        return self._path, self.body(asked) | {"stream": True}

    def whole(self, client: httpx2.Client, asked: Asked) -> Told:
        content = post(client, self._path, self.body(asked)).content
        if self._more_types is not None:
            self._more_types[0].validate_json(content)
        return _told_in_response(Response.model_validate_json(content, strict=True))

    def streamed(self, client: httpx2.Client, asked: Asked) -> Told:
        """The last event has the whole response, which its pieces must add up to."""
        frames = post(client, *self.streaming_request(asked)).text.strip().split("\n\n")
        data = [frame.partition("\ndata: ")[2] for frame in frames]
        events = [_EVENT.validate_json(each) for each in data]
        if self._more_types is not None:
            known = [self._more_types[1].validate_json(each) for each in data]
            assert not any(type(each).__name__.startswith("Unknown") for each in known)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        told = _told_in_response(events[-1].response)
        assert _joined(events, "response.output_text.delta") == told.text
        pieces = CallPieces()
        for event in events:
            if event.type == "response.output_item.added" and event.item.type == "function_call":
                pieces.add(event.output_index, event.item.name, None)
            elif event.type == "response.function_call_arguments.delta":
                pieces.add(event.output_index, None, event.delta)
        assert pieces.told() == told.calls
        return told


def _joined(events: Sequence[Any], kind: str) -> str:
    return "".join(event.delta for event in events if event.type == kind)


def _told_in_response(response: Any) -> Told:
    calls = tuple(
        (item.name, canonical(item.arguments))
        for item in response.output
        if item.type == "function_call"
    )
    ends = {"completed": "tool_calls" if calls else "stop", "incomplete": "length"}
    return Told(
        text=response.output_text,
        calls=calls,
        reason=ends[response.status],
        prompt_tokens=response.usage.input_tokens,
        completion_tokens=response.usage.output_tokens,
    )


def told_in_batch(client: httpx2.Client, bodies: Sequence[dict[str, Any]]) -> list[Told]:
    """What the lines of one batch of chats were answered."""
    lines = [
        json.dumps(
            {"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": body}
        )
        for n, body in enumerate(bodies)
    ]
    files = {"file": ("lines.jsonl", "\n".join(lines).encode())}
    uploaded = client.post("/v1/files", data={"purpose": "batch"}, files=files).json()
    asked = {
        "input_file_id": uploaded["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    batch = post(client, "/v1/batches", asked).json()
    deadline = time.monotonic() + BATCH_SECONDS
    while batch["status"] in ("validating", "in_progress", "finalizing"):
        assert time.monotonic() < deadline, batch
        time.sleep(0.05)
        batch = client.get(f"/v1/batches/{batch['id']}").json()
    rows = client.get(f"/v1/files/{batch['output_file_id']}/content").text.splitlines()
    bodies_out = [json.loads(row)["response"]["body"] for row in rows]
    return [told_in_chat(json.dumps(body).encode()) for body in bodies_out]
