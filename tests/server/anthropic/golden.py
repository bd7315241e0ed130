"""Whole replies, byte for byte but for what differs each time. Run as a module, it writes them."""

import re
from typing import Any

from engine.errors import WorkerDied
from tests.fakes import Script
from tests.server.anthropic.asking import BROKEN, COUNT, HELLO, MESSAGES, NOON, PARIS, TOOLS
from tests.server.openai.golden import Scene, write
from tests.server.openai.support import says

_STREAM: dict[str, Any] = {"stream": True}
_TOOLS: dict[str, Any] = {"tools": TOOLS}
_EAGER: dict[str, Any] = {"tools": [tool | {"eager_input_streaming": True} for tool in TOOLS]}
_IDS = re.compile(r'"(msg|toolu|req)_[0-9a-f]{24,32}"')
SCENES = {
    "anthropic_message.json": Scene(MESSAGES, HELLO, says("Hi there")),
    "anthropic_tools.json": Scene(MESSAGES, HELLO | _TOOLS, says(f"Hm\n{PARIS}\n{NOON}")),
    "anthropic_count.json": Scene(
        COUNT, {name: HELLO[name] for name in ("model", "messages")}, says("")
    ),
    "anthropic_stream.sse": Scene(MESSAGES, HELLO | _STREAM, says("Hi 漢")),
    "anthropic_stream_stop.sse": Scene(
        MESSAGES, HELLO | _STREAM | {"stop_sequences": ["END"]}, says("a END b")
    ),
    "anthropic_stream_tools.sse": Scene(
        MESSAGES, HELLO | _TOOLS | _STREAM, says(f"Hm\n{PARIS}\n{NOON}")
    ),
    "anthropic_stream_eager.sse": Scene(MESSAGES, HELLO | _EAGER | _STREAM, says(PARIS)),
    "anthropic_stream_eager_broken.sse": Scene(MESSAGES, HELLO | _EAGER | _STREAM, says(BROKEN)),
    "anthropic_stream_error.sse": Scene(
        MESSAGES, HELLO | _STREAM, Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    ),
    "anthropic_error.json": Scene(MESSAGES, HELLO | {"temperature": 1.5}, says("")),
}


def constant(text: str) -> str:
    return _IDS.sub(r'"\1_0"', text)


if __name__ == "__main__":
    write(SCENES, constant)
