"""Whole replies, byte for byte but for what differs each time. Run as a module, it writes them."""

import re
import tempfile
from pathlib import Path

from engine.errors import WorkerDied
from tests.fakes import Script
from tests.server.openai.golden import GOLDEN, Scene, transcript
from tests.server.openai.support import Bench, says

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
    "runpod_refused.json": Scene(_RUN, {"input": {}}, says("")),
}


def constant(text: str) -> str:
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    return text


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench.in_directory(Path(directory))
        for name, scene in SCENES.items():
            text = constant(transcript(bench, scene))
            (GOLDEN / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
