"""The demo model through every dialect: whole and streamed replies are the same, and all types fit.

What one dialect is told of a conversation, all are told.
"""

from collections.abc import Iterator

import httpx2
import pytest

from tests.conftest import DemoServer
from tests.server.dialects.openai_dialects import Chat, Completions, told_in_batch
from tests.server.dialects.table import dialects
from tests.server.dialects.told import Asked, Dialect, Told

HOSTED = "ibm-granite/granite-4.0-h-micro"
QUESTIONS = {
    "echo": Asked(text="Repeat after me: river"),
    "list": Asked(text="Count from 1 to 9."),
    "cut short": Asked(text="Count from 1 to 9.", num_tokens=16),
    "call": Asked(text="What is the weather in Paris?", has_tool=True),
}
DIALECTS = dialects(HOSTED)
CHAT = DIALECTS[0]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client(demo_server: DemoServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=demo_server.url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def in_chat(client: httpx2.Client) -> dict[str, Told]:
    return {name: CHAT.whole(client, asked) for name, asked in QUESTIONS.items()}


@pytest.mark.parametrize(
    ("dialect", "question"),
    [
        pytest.param(dialect, question, id=f"{dialect.name} {question}")
        for dialect in DIALECTS
        for question, asked in QUESTIONS.items()
        if dialect.has_tools or not asked.has_tool
    ],
)
def test_a_reply_is_the_same_whole_streamed_and_in_chat(
    client: httpx2.Client, in_chat: dict[str, Told], dialect: Dialect, question: str
) -> None:
    asked = QUESTIONS[question]
    whole = dialect.whole(client, asked)
    assert dialect.streamed(client, asked) == whole
    assert whole.completion_tokens > 0
    if isinstance(dialect, Completions):  # a prompt is no conversation
        return
    expected = in_chat[question]
    assert (whole.text, whole.calls) == (expected.text, expected.calls)
    assert whole.reason in (expected.reason, None)
    counts = (expected.prompt_tokens, expected.completion_tokens)
    assert (whole.prompt_tokens, whole.completion_tokens) == counts


def test_the_questions_show_every_ending(in_chat: dict[str, Told]) -> None:
    assert {name: told.reason for name, told in in_chat.items()} == {
        "echo": "stop",
        "list": "stop",
        "cut short": "length",
        "call": "tool_calls",
    }


def test_the_lines_of_a_batch_are_answered_as_chats_are(
    client: httpx2.Client, in_chat: dict[str, Told]
) -> None:
    assert isinstance(CHAT, Chat)
    bodies = [CHAT.body(asked) for asked in QUESTIONS.values()]
    assert told_in_batch(client, bodies) == list(in_chat.values())
