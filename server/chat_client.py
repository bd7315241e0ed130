"""A small client of the OpenAI streaming API for `granite-server chat`: knows HTTP, no terminal."""

import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import httpx2

from kernels.errors import GraniteError

CONNECT_SECONDS = 5.0


class ChatError(GraniteError):
    """The server cannot be reached, or refused or broke off the conversation."""


class Message(TypedDict):
    role: str
    content: str


@dataclass(slots=True)
class ReplyStats:
    """Filled in while a reply streams. Token counts are the server's, None until it sends them."""

    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    finish_reason: str | None = None
    started: float = field(default_factory=time.monotonic)
    first_text: float | None = None
    last_text: float | None = None

    def note_text(self) -> None:
        self.last_text = time.monotonic()
        if self.first_text is None:
            self.first_text = self.last_text

    def __str__(self) -> str:
        """'12 + 34 tokens, first after 0.21 s, 56.7 tokens/s', as far as it is known."""
        parts = []
        if self.reply_tokens is not None:
            parts.append(f"{self.prompt_tokens} + {self.reply_tokens} tokens")
        if self.first_text is not None and self.last_text is not None:
            parts.append(f"first after {self.first_text - self.started:.2f} s")
            seconds = self.last_text - self.first_text
            if self.reply_tokens is not None and self.reply_tokens > 1 and seconds > 0:
                parts.append(f"{(self.reply_tokens - 1) / seconds:.1f} tokens/s")
        if self.finish_reason == "length":
            parts.append("cut at the token limit")
        return ", ".join(parts)


class ChatClient:
    """One server and one model, asked over `/v1/chat/completions`. Close it by `with`."""

    def __init__(
        self, url: str, api_key: str | None = None, transport: httpx2.BaseTransport | None = None
    ) -> None:
        base = url.rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._url = base
        self._http = httpx2.Client(
            base_url=base if base.endswith("/v1") else f"{base}/v1",
            headers=headers,
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
            transport=transport,
        )

    def __enter__(self) -> "ChatClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def first_model(self) -> str:
        """The name of the first model that the server lists. Raises ChatError."""
        try:
            response = self._http.get("/models")
            _raise_for_error(response)
            return str(response.json()["data"][0]["id"])
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        except (ValueError, LookupError, TypeError) as error:
            raise ChatError(f"{self._url} does not list a model as OpenAI's API does") from error

    def stream_reply(
        self,
        model: str,
        messages: Sequence[Message],
        sampling: Mapping[str, float],
        stats: ReplyStats,
    ) -> Generator[str, None, None]:
        """Yield the reply's text as it arrives and fill in `stats`. Raises ChatError."""
        body = {
            "model": model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            **sampling,
        }
        try:
            with self._http.stream("POST", "/chat/completions", json=body) as response:
                if response.is_error:
                    response.read()
                    _raise_for_error(response)
                for line in response.iter_lines():
                    if line.startswith("data: {"):
                        yield from _read_chunk(json.loads(line[len("data: ") :]), stats)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx2.HTTPError) -> ChatError:
        if isinstance(error, httpx2.ConnectError):
            return ChatError(f"no server at {self._url}; start one with: granite-server serve")
        return ChatError(f"{self._url}: {str(error) or type(error).__name__}")


def _read_chunk(chunk: dict[str, Any], stats: ReplyStats) -> Iterator[str]:
    if "error" in chunk:
        raise ChatError(str(chunk["error"].get("message", chunk["error"])))
    if usage := chunk.get("usage"):
        stats.prompt_tokens = usage["prompt_tokens"]
        stats.reply_tokens = usage["completion_tokens"]
    for choice in chunk.get("choices", []):
        stats.finish_reason = choice.get("finish_reason") or stats.finish_reason
        if text := choice["delta"].get("content"):
            stats.note_text()
            yield text


def _raise_for_error(response: httpx2.Response) -> None:
    """The server's own words where it has some."""
    if not response.is_error:
        return
    try:
        message = response.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        message = response.reason_phrase
    raise ChatError(f"{response.status_code}: {message}")
