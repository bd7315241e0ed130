"""The exact bytes of replies. After a wanted change: `python -m tests.server.runpod.golden`."""

import pytest

from tests.server.openai.golden import GOLDEN, transcript
from tests.server.openai.support import Bench
from tests.server.runpod.golden import SCENES, STREAMED, constant, stream_transcript


@pytest.mark.parametrize("name", SCENES)
def test_a_reply_is_the_golden_one(bench: Bench, name: str) -> None:
    expected = (GOLDEN / name).read_bytes().decode()
    assert constant(transcript(bench, SCENES[name])) == expected


def test_a_job_in_parts_is_told_as_the_golden_one(bench: Bench) -> None:
    assert stream_transcript(bench) == (GOLDEN / STREAMED).read_text(encoding="utf-8")
