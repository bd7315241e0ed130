"""Whole replies, byte for byte but for what differs each time. Run as a module, it writes them."""

import re

from engine.errors import WorkerDied
from tests.fakes import Script
from tests.server.openai.golden import CALL, TOOLS, Scene, write
from tests.server.openai.support import HELLO, ONCE, says

_STREAM = {"stream": True}
_GENERATION = re.compile(r'"id":"gen-\d+-[A-Za-z0-9]{20}"')
SCENES = {
    "openrouter_chat.json": Scene("/api/v1/chat/completions", HELLO, says("Hi there")),
    "openrouter_chat_stream.sse": Scene("/api/v1/chat/completions", HELLO | _STREAM, says("Hi 漢")),
    "openrouter_chat_stream_error.sse": Scene(
        "/api/v1/chat/completions",
        HELLO | _STREAM,
        Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed")),
    ),
    "openrouter_chat_tools_stream.sse": Scene(
        "/api/v1/chat/completions", HELLO | TOOLS | _STREAM, says(f"Hm\n{CALL}")
    ),
    "openrouter_response_stream.sse": Scene(
        "/api/v1/responses", {"input": "Hello", "stream": True}, says("Hi")
    ),
    "openrouter_completion.json": Scene("/api/v1/completions", ONCE, says("upon")),
    "openrouter_completion_stream.sse": Scene("/api/v1/completions", ONCE | _STREAM, says("Hi")),
    "openrouter_error.json": Scene(
        "/api/v1/chat/completions", HELLO | {"model": "gpt-4o"}, says("")
    ),
}


def constant(text: str) -> str:
    return _GENERATION.sub('"id":"gen-0"', text)


if __name__ == "__main__":
    write(SCENES, constant)
