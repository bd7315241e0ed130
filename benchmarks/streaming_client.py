"""One streamed reply and the moments at which its tokens arrived."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import httpx2

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"


class LengthControl(StrEnum):
    """How a server is told to generate exactly `max_tokens` tokens, whatever the model says."""

    IGNORE_EOS = "ignore-eos"  # granite-server, vLLM, llama.cpp
    GENERATION_CONFIG = "generation-config"  # transformers serve
    NONE = "none"  # a server that refuses fields it does not know


class StreamFailed(Exception):
    """The server refused the request, sent an error event, or ended without any text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTiming:
    """Times are of one monotonic clock, in seconds.

    A chunk of text is a token, or several if their bytes are one character or came together;
    `num_output_tokens` is the server's count if it gives one, else the number of chunks.
    """

    sent: float
    chunks: tuple[float, ...]
    finished: float
    num_prompt_tokens: int | None
    num_output_tokens: int

    @property
    def time_to_first_token(self) -> float:
        return self.chunks[0] - self.sent

    @property
    def time_per_output_token(self) -> float | None:
        """Mean seconds between tokens after the first; None for a single token."""
        if self.num_output_tokens < 2:
            return None
        return (self.finished - self.chunks[0]) / (self.num_output_tokens - 1)

    @property
    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.chunks)]


def completion_body(
    model: str, prompt: str, max_tokens: int, length_control: LengthControl
) -> dict[str, Any]:
    """Greedy, streamed and with usage: what every server of this kind understands."""
    body: dict[str, Any] = {
        "model": model,
        "prompt": prompt,
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if length_control is LengthControl.IGNORE_EOS:
        body["ignore_eos"] = True
    elif length_control is LengthControl.GENERATION_CONFIG:
        forced = {"min_new_tokens": max_tokens, "max_new_tokens": max_tokens, "do_sample": False}
        body["generation_config"] = json.dumps(forced)
    return body


async def stream_completion(
    client: httpx2.AsyncClient, url: str, body: Mapping[str, Any], path: str = COMPLETIONS
) -> StreamTiming:
    """One whole reply, of `path` COMPLETIONS or CHAT.

    Raises:
        StreamFailed: anything but a stream of text.
    """
    chunks: list[float] = []
    finished = 0.0
    usage: Mapping[str, int] = {}
    sent = time.perf_counter()
    async for now, event in stream_events(client, url, body, path):
        usage = event.get("usage") or usage
        for choice in event.get("choices") or ():
            finished = now
            if choice.get("text") or choice.get("delta", {}).get("content"):
                chunks.append(now)
    if not chunks:
        raise StreamFailed("the stream ended without any text")
    return StreamTiming(
        sent=sent,
        chunks=tuple(chunks),
        finished=finished,
        num_prompt_tokens=usage.get("prompt_tokens"),
        num_output_tokens=usage.get("completion_tokens", len(chunks)),
    )


async def stream_events(
    client: httpx2.AsyncClient, url: str, body: Mapping[str, Any], path: str = COMPLETIONS
) -> AsyncIterator[tuple[float, Mapping[str, Any]]]:
    """POST; each event as it comes, with its moment.

    Raises:
        StreamFailed: a refusal, an error event, or anything but JSON.
    """
    async with client.stream("POST", f"{url}{path}", json=body) as response:
        if response.status_code != 200:
            text = (await response.aread()).decode(errors="replace")
            raise StreamFailed(f"status {response.status_code}: {text[:500]}")
        async for line in response.aiter_lines():
            event = _parse_line(line)
            if event is not None:
                yield time.perf_counter(), event


def _parse_line(line: str) -> Mapping[str, Any] | None:
    """The event of a `data:` line; None for comments, blank lines and the end mark."""
    if not line.startswith("data:"):
        return None
    data = line.removeprefix("data:").strip()
    if data == "[DONE]":
        return None
    try:
        event: Mapping[str, Any] = json.loads(data)
    except ValueError as error:
        raise StreamFailed(f"not JSON: {data[:200]}") from error
    if "error" in event:
        raise StreamFailed(f"error event: {event['error']}")
    return event
