"""The dialects of Workers AI and RunPod."""

import json
import time
from typing import Any

import httpx2
from cloudflare.types.ai.ai_run_response import UnionMember8

from tests.server.dialects.told import WEATHER, Asked, CallPieces, Told, canonical, event_data, post

JOB_SECONDS = 60.0


class WorkersAI:
    """`field` is how the text is given: `messages` or `prompt`."""

    def __init__(self, path: str, field: str) -> None:
        self.name = f"{path} {field}"
        self.has_tools = field == "messages"
        self._path = path
        self._field = field

    def body(self, asked: Asked) -> dict[str, Any]:
        tools = {"tools": [WEATHER]} if asked.has_tool else {}
        given = asked.text if self._field == "prompt" else [{"role": "user", "content": asked.text}]
        return {self._field: given, "max_tokens": asked.num_tokens, "temperature": 0, **tools}

    def streaming_request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        return self._path, self.body(asked) | {"stream": True}

    def whole(self, client: httpx2.Client, asked: Asked) -> Told:
        envelope = post(client, self._path, self.body(asked)).json()
        result = envelope.pop("result")
        assert envelope == {"success": True, "errors": [], "messages": []}
        typed = UnionMember8.model_validate(result)
        calls = tuple(
            (str(call.name), canonical(call.arguments)) for call in typed.tool_calls or ()
        )
        (choice,) = result["choices"]
        return _told(typed.response or "", calls, choice["finish_reason"], result["usage"])

    def streamed(self, client: httpx2.Client, asked: Asked) -> Told:
        events = [
            json.loads(each) for each in event_data(post(client, *self.streaming_request(asked)))
        ]
        calls = CallPieces()
        for event in events:
            for call in event.get("tool_calls", ()):
                function = call["function"]
                calls.add(call["index"], function.get("name"), function.get("arguments"))
        text = "".join(event["response"] for event in events)
        return _told(text, calls.told(), events[-1]["finish_reason"], events[-1]["usage"])


def _told(
    text: str, calls: tuple[tuple[str, str], ...], reason: str, usage: dict[str, Any]
) -> Told:
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    return Told(
        text=text,
        calls=calls,
        reason=reason,
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
    )


class RunPod:
    """It tells no reason. Its streams are read by asking again and again."""

    has_tools = False

    def __init__(self, path: str) -> None:
        self.name = path
        self._path = path

    def body(self, asked: Asked) -> dict[str, Any]:
        return {
            "messages": [{"role": "user", "content": asked.text}],
            "sampling_params": {"max_tokens": asked.num_tokens, "temperature": 0},
        }

    def streaming_request(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        return f"{self._path}/run", {"input": self.body(asked) | {"stream": True}}

    def whole(self, client: httpx2.Client, asked: Asked) -> Told:
        job = post(client, f"{self._path}/runsync", {"input": self.body(asked)}).json()
        assert job["status"] == "COMPLETED", job
        (output,) = job["output"]
        (text,) = output["choices"][0]["tokens"]
        return self._told(text, output)

    def streamed(self, client: httpx2.Client, asked: Asked) -> Told:
        job = post(client, *self.streaming_request(asked)).json()
        outputs: list[dict[str, Any]] = []
        deadline = time.monotonic() + JOB_SECONDS
        while job["status"] in ("IN_QUEUE", "IN_PROGRESS"):
            assert time.monotonic() < deadline, job
            job = client.get(f"{self._path}/stream/{job['id']}").json()
            outputs += [part["output"] for part in job["stream"]]
        assert job["status"] == "COMPLETED", job
        text = "".join(piece for part in outputs for piece in part["choices"][0]["tokens"])
        return self._told(text, outputs[-1])

    @staticmethod
    def _told(text: str, output: dict[str, Any]) -> Told:
        counts = output["usage"]
        return Told(
            text=text,
            reason=None,
            prompt_tokens=counts["input"],
            completion_tokens=counts["output"],
        )
