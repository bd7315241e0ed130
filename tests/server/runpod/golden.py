"""Whole replies, byte for byte but for what differs each time. Run as a module, it writes them."""

import re
import tempfile
from pathlib import Path

from starlette.testclient import TestClient

from engine.errors import WorkerDied
from tests.fakes import Script
from tests.server.openai.golden import GOLDEN, Scene, write
from tests.server.openai.support import HELLO, Bench, fake_engine, says

_RUN, _RUN_SYNC = "/v2/granite/run", "/v2/granite/runsync"
_CHANGING = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-u1"), "0-u1"),
    (re.compile(r'"workerId":"[0-9a-f]{14}"'), '"workerId":"0"'),
    (re.compile(r'"(delayTime|executionTime)":\d+'), r'"\1":0'),
]
_INPUT = {"prompt": "Once"}
SCENES = {
    "runpod_run.json": Scene(_RUN, {"input": _INPUT}, says("Hi")),
    "runpod_runsync.json": Scene(_RUN_SYNC, {"input": _INPUT}, says("Hi there")),
    "runpod_runsync_stream.json": Scene(
        _RUN_SYNC, {"input": _INPUT | {"stream": True}}, says("Hi 漢 there")
    ),
    "runpod_runsync_failed.json": Scene(
        _RUN_SYNC, {"input": _INPUT}, Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    ),
    "runpod_chat_stream.sse": Scene(
        "/v2/granite/openai/v1/chat/completions", HELLO | {"stream": True}, says("Hi")
    ),
    "runpod_refused.json": Scene(_RUN, {"input": {}}, says("")),
}


STREAMED = "runpod_stream.txt"


def stream_transcript(bench: Bench) -> str:
    """A job whose output comes in parts: begun, looked at when it has ended, read, read again."""
    engine = fake_engine(says("Hi 漢 there"))
    with TestClient(bench.app(engine), base_url="http://localhost") as client:
        begun = client.post(_RUN, json={"input": _INPUT | {"stream": True}})
        job_id = begun.json()["id"]
        paths = (f"status-sync/{job_id}", f"stream/{job_id}", f"stream/{job_id}")
        replies = [begun, *(client.get(f"/v2/granite/{path}") for path in paths)]
    return constant("".join(f"{reply.text}\n" for reply in replies))


def constant(text: str) -> str:
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    return text


def main() -> None:
    write(SCENES, constant)
    with tempfile.TemporaryDirectory() as directory:
        streamed = stream_transcript(Bench.in_directory(Path(directory)))
    (GOLDEN / STREAMED).write_text(streamed, encoding="utf-8")


if __name__ == "__main__":
    main()
