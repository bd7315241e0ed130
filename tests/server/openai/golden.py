"""Whole replies, byte for byte but for what differs each time. Run as a module, it writes them."""

import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from engine.errors import WorkerDied
from engine.request import TokenLogprob
from tests.fakes import Script
from tests.server.openai.replies import CHAT, COMPLETIONS
from tests.server.openai.responses.asking import HELLO as ASKED
from tests.server.openai.responses.asking import RESPONSES
from tests.server.openai.support import HELLO, ONCE, Bench, fake_engine, says

GOLDEN = Path(__file__).parents[2] / "golden"
_CHANGING = [
    (re.compile(r'"id":"(chatcmpl|cmpl)-[0-9a-f]{32}"'), r'"id":"\1-0"'),
    (re.compile(r'"(call_id|id)":"call_[0-9a-f]{24}"'), r'"\1":"call_0"'),
    (re.compile(r'"(resp|msg|fc)_[0-9a-f]{32}(_\d+)?"'), r'"\1_0\2"'),
    (re.compile(r'"(created|created_at|completed_at)":\d+'), r'"\1":0'),
    (re.compile(r'"system_fingerprint":"fp_[0-9a-f]{10}"'), '"system_fingerprint":"fp_0"'),
]


@dataclass(frozen=True)
class Scene:
    route: str
    body: dict[str, Any]
    script: Script


_STREAM: dict[str, Any] = {"stream": True}
_WITH_USAGE = _STREAM | {"stream_options": {"include_usage": True}}
_LIKELY = (TokenLogprob(104, -0.5), TokenLogprob(0xE6, -2.5))
_WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
TOOLS: dict[str, Any] = {"tools": [{"type": "function", "function": _WEATHER}]}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"a": 1}}\n</tool_call>'
SCENES = {
    "chat.json": Scene(CHAT, HELLO, says("Hi there")),
    "chat_logprobs.json": Scene(
        CHAT,
        HELLO | {"logprobs": True, "top_logprobs": 2},
        says("hé", logprob=-0.5, top_logprobs=_LIKELY),
    ),
    "chat_stream.sse": Scene(CHAT, HELLO | _STREAM, says("Hi 漢")),
    "chat_stream_usage.sse": Scene(CHAT, HELLO | _WITH_USAGE, says("Hi")),
    "chat_stream_stop_two_choices.sse": Scene(
        CHAT,
        HELLO | _STREAM | {"n": 2, "stop": "END", "logprobs": True},
        says("a ENd END", logprob=-1.0),
    ),
    "chat_stream_error.sse": Scene(
        CHAT, HELLO | _WITH_USAGE, Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    ),
    "chat_tools.json": Scene(CHAT, HELLO | TOOLS, says(f"Hm\n{CALL}\n{CALL}")),
    "chat_tools_stream.sse": Scene(CHAT, HELLO | TOOLS | _STREAM, says(f"{CALL}\n{CALL}")),
    "chat_tools_stream_logprobs.sse": Scene(
        CHAT, HELLO | TOOLS | _STREAM | {"logprobs": True}, says(f"a\n{CALL}", logprob=-1.0)
    ),
    "chat_tools_stream_broken.sse": Scene(
        CHAT, HELLO | TOOLS | _STREAM, says(CALL.replace("1", "x"))
    ),
    "chat_tools_stream_named.sse": Scene(
        CHAT,
        HELLO
        | TOOLS
        | _WITH_USAGE
        | {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        says(f"{CALL}\n{CALL}"),
    ),
    "chat_functions.json": Scene(CHAT, HELLO | {"functions": [_WEATHER]}, says(CALL)),
    "chat_functions_stream.sse": Scene(
        CHAT, HELLO | {"functions": [_WEATHER]} | _STREAM, says(f"Hm\n{CALL} never seen")
    ),
    "completion.json": Scene(
        COMPLETIONS, ONCE | {"logprobs": 2}, says("hé", logprob=-0.5, top_logprobs=_LIKELY)
    ),
    "response.json": Scene(RESPONSES, ASKED | {"metadata": {"run": "7"}}, says("Hi there")),
    "response_stream.sse": Scene(RESPONSES, ASKED | _STREAM, says("Hi 漢")),
    "response_stream_tools.sse": Scene(
        RESPONSES,
        ASKED | _STREAM | {"tools": [{"type": "function", **_WEATHER}], "top_logprobs": 1},
        says(f"Hm\n{CALL}\n{CALL}", logprob=-1.0),
    ),
    "response_stream_broken.sse": Scene(
        RESPONSES,
        ASKED | _STREAM | {"tools": [{"type": "function", **_WEATHER}]},
        says(CALL.replace("1", "x")),
    ),
    "response_stream_error.sse": Scene(
        RESPONSES, ASKED | _STREAM, Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    ),
    "response_stream_cut.sse": Scene(
        RESPONSES, ASKED | _STREAM | {"max_output_tokens": 16}, says("x" * 20)
    ),
    "completion_stream.sse": Scene(COMPLETIONS, ONCE | _STREAM | {"max_tokens": 3}, says("long")),
}


def transcript(bench: Bench, scene: Scene) -> str:
    with TestClient(bench.app(fake_engine(scene.script)), base_url="http://localhost") as client:
        text = client.post(scene.route, json=scene.body).text
    for pattern, constant in _CHANGING:
        text = pattern.sub(constant, text)
    return text


def write(scenes: Mapping[str, Scene], constant: Callable[[str], str] = str) -> None:
    """The transcripts as they are now; `constant` takes out what else differs each time."""
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench.in_directory(Path(directory))
        for name, scene in scenes.items():
            (GOLDEN / name).write_text(constant(transcript(bench, scene)), encoding="utf-8")


if __name__ == "__main__":
    write(SCENES)
