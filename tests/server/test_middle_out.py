"""Prompts whose middle is left out: as little as possible, and never half of a tool call."""

from collections.abc import Sequence

import pytest

from server.middle_out import without_middle
from server.question import (
    ChatMessage,
    ChatPrompt,
    InfillPrompt,
    PastCall,
    Prompt,
    Role,
    TextPrompt,
    TokenPrompt,
)

CALL = (PastCall(name="f", arguments="{}"),)


def message(role: Role, content: str | tuple[str, ...] = "xxxx", **fields: object) -> ChatMessage:
    return ChatMessage(role=role, content=content, **fields)  # type: ignore[arg-type]  # real fields


def turns(*numbers: int) -> list[ChatMessage]:
    """User and assistant in turn, each of 4 characters."""
    return [message("assistant" if n % 2 else "user", f"{n:04}") for n in numbers]


def chat(*messages: ChatMessage) -> ChatPrompt:
    return ChatPrompt(messages=list(messages))


class Room:
    """A context that is measured in characters, or in ids."""

    def __init__(self, size: int) -> None:
        self.size = size

    async def __call__(self, prompt: Prompt) -> bool:
        return length(prompt) <= self.size


def length(prompt: Prompt) -> int:
    if isinstance(prompt, ChatPrompt):
        return sum(len("".join(m.content)) for m in prompt.messages)
    if isinstance(prompt, InfillPrompt):
        return length(prompt.before) + len(prompt.after)
    return len(prompt.text if isinstance(prompt, TextPrompt) else prompt.token_ids)


async def contents(messages: Sequence[ChatMessage], size: int) -> list[str | tuple[str, ...]]:
    shortened = await without_middle(chat(*messages), Room(size))
    assert isinstance(shortened, ChatPrompt)
    return [message.content for message in shortened.messages]


@pytest.mark.parametrize(
    "prompt",
    [chat(*turns(*range(10))), TextPrompt("x" * 40), TokenPrompt((1,) * 40)],
    ids=["chat", "text", "ids"],
)
async def test_a_prompt_that_fits_is_left_alone(prompt: Prompt) -> None:
    assert await without_middle(prompt, Room(40)) is prompt


@pytest.mark.parametrize(
    ("size", "left"),
    [
        (39, [0, 1, 2, 3, 5, 6, 7, 8, 9]),
        (35, [0, 1, 2, 3, 6, 7, 8, 9]),
        (12, [0, 8, 9]),
        (8, [0, 9]),
        (4, [9]),
    ],
)
async def test_messages_are_left_out_from_the_middle_and_no_more_than_needed(
    size: int, left: list[int]
) -> None:
    assert await contents(turns(*range(10)), size) == [f"{n:04}" for n in left]


async def test_the_system_messages_at_the_beginning_stay() -> None:
    messages = [message("system", "be brief"), *turns(*range(6))]
    assert await contents(messages, 16) == ["be brief", "0000", "0005"]
    assert await contents(messages, 12) == ["be brief", "0005"]


async def test_a_last_message_that_is_too_long_loses_its_middle() -> None:
    messages = [message("system", "abcdefgh"), *turns(1, 2), message("user", "0123456789")]
    assert await contents(messages, 14) == ["abcdfgh", "0123789"]
    assert await contents([message("user", ("0123456789", "ab"))], 6) == [("0189", "ab")]


@pytest.mark.parametrize(("size", "expected"), [(7, "0123789"), (6, "012789"), (1, "0"), (0, "")])
async def test_raw_prompts_lose_their_middle(size: int, expected: str) -> None:
    text = await without_middle(TextPrompt("0123456789", parse_special=True), Room(size))
    assert text == TextPrompt(expected, parse_special=True)
    ids = await without_middle(TokenPrompt(tuple(range(10))), Room(size))
    assert ids == TokenPrompt(tuple(map(int, expected)))


async def test_a_call_without_its_result_is_left_out_too_and_the_reverse() -> None:
    messages = [
        message("user", "0000"),
        message("assistant", "1111", tool_calls=CALL * 2),
        message("tool", "2222", tool_call_id="a"),
        message("tool", "3333", tool_call_id="b"),
        message("assistant", "4444"),
        message("user", "5555"),
    ]
    assert await contents(messages, 20) == ["0000", "4444", "5555"]
    assert await contents([*messages[1:4], *turns(4, 5, 6, 7, 8, 9)], 32) == [
        "1111",
        "2222",
        "3333",
        *(f"{n:04}" for n in (4, 6, 7, 8, 9)),
    ]


async def test_what_cannot_be_made_to_fit_stays_as_it_was() -> None:
    prompt = chat(*turns(*range(3)))
    assert await without_middle(prompt, Room(-1)) is prompt
    gap = InfillPrompt(TextPrompt("before"), "after")
    assert await without_middle(gap, Room(3)) is gap
