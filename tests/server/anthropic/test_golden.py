"""The exact bytes of replies. After a wanted change: `python -m tests.server.anthropic.golden`."""

import pytest

from tests.server.anthropic.golden import SCENES, constant
from tests.server.openai.golden import GOLDEN, transcript
from tests.server.openai.support import Bench


@pytest.mark.parametrize("name", SCENES)
def test_a_reply_is_the_golden_one(bench: Bench, name: str) -> None:
    expected = (GOLDEN / name).read_bytes().decode()
    assert constant(transcript(bench, SCENES[name])) == expected
