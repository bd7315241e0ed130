"""One choice with tools: when it ends, why, and where its tokens are told."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings, strategies

from engine.request import FinishReason, TokenEvent
from server.choice_stream import ChoiceStream
from server.events import (
    ContentEvent,
    EndReason,
    TextDelta,
    ToolCallArguments,
    ToolCallStarted,
)
from server.folding import FoldedChoice
from server.text_stream import ChoiceText
from server.tool_splitter import ToolSplitter

CALL = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'


class Words:
    """A decoder of made-up words: an id stands for the word at that place."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words

    def feed(self, token_id: int) -> str:
        return self._words[token_id]

    def flush(self) -> str:
        return ""


def play(
    words: Sequence[str],
    *,
    end: FinishReason = FinishReason.LENGTH,
    stops: Sequence[str] = (),
    only_one: bool = False,
    logprob: float | None = -1.0,
) -> tuple[ChoiceStream, list[ContentEvent]]:
    """Feed one token a word until the choice has ended; `end` comes with the last one."""
    text = ChoiceText(Words(words), stops, 0)
    stream = ChoiceStream(0, text, ToolSplitter(0, only_one=only_one))
    events: list[ContentEvent] = []
    for token_id in range(len(words)):
        reason = end if token_id == len(words) - 1 else None
        token = TokenEvent(choice=0, token_id=token_id, logprob=logprob, finish_reason=reason)
        events += stream.feed(token)
        if stream.finish_reason is not None:
            break
    return stream, events


def ids_of(events: Sequence[ContentEvent]) -> list[list[int]]:
    return [[token.event.token_id for token in event.tokens] for event in events]


@pytest.mark.parametrize(
    ("words", "end", "reason"),
    [
        (["hi"], FinishReason.LENGTH, EndReason.LENGTH),
        (["hi", ""], FinishReason.STOP, EndReason.STOP),
        ([CALL, ""], FinishReason.STOP, EndReason.TOOL_CALLS),
        ([CALL, "more", ""], FinishReason.STOP, EndReason.TOOL_CALLS),
        ([CALL], FinishReason.LENGTH, EndReason.LENGTH),
        (["<tool_call>{", ""], FinishReason.STOP, EndReason.STOP),
        ([CALL, "<tool_call>{", ""], FinishReason.STOP, EndReason.TOOL_CALLS),
    ],
)
def test_a_reply_ends_with_tool_calls_if_it_ended_by_itself_and_has_some(
    words: list[str], end: FinishReason, reason: EndReason
) -> None:
    stream, _ = play(words, end=end)
    assert stream.finished().reason is reason


def test_where_only_one_call_is_wanted_the_choice_ends_with_it() -> None:
    stream, events = play([CALL, "\n", CALL, "late"], only_one=True)
    assert stream.finish_reason is FinishReason.STOP
    assert stream.finished().reason is EndReason.TOOL_CALLS
    assert stream.num_tokens == 1
    assert len([event for event in events if isinstance(event, ToolCallStarted)]) == 1


def test_a_stop_string_in_a_call_cuts_the_call() -> None:
    stream, events = play([CALL, "late"], stops=["arg"])
    assert events == [TextDelta(0, '<tool_call>\n{"name": "f", "', events[0].tokens)]
    assert stream.finished().reason is EndReason.STOP
    assert stream.finished().stop_string == "arg"


def test_tokens_are_told_with_what_they_spell_and_those_of_tags_with_the_call() -> None:
    words = ["Hm", ".\n", "<tool", "_call>", '{"name": "f', '", "arguments": ', '{"a"', ":1}"]
    _, events = play([*words, "}\n", "</tool_call>", ""], end=FinishReason.STOP)
    assert [type(event) for event in events] == [
        *(TextDelta, TextDelta, ToolCallStarted, ToolCallArguments),
        *(ToolCallArguments, ToolCallArguments),
    ]
    assert ids_of(events) == [[0], [], [1, 2, 3, 4, 5, 6], [], [7], [8, 9]]


def test_tokens_without_log_probabilities_are_not_told_with_calls() -> None:
    _, events = play(list(CALL), logprob=None)
    assert not any(event.tokens for event in events)
    assert all(event.text for event in events if not isinstance(event, ToolCallStarted))


@settings(deadline=None)
@given(words=strategies.lists(strategies.sampled_from([CALL, *"a\n<{ ", "<tool_call>", "é"])))
def test_every_token_is_told_once_and_in_order(words: list[str]) -> None:
    _, events = play([*words, "."])
    assert sum(ids_of(events), []) == list(range(len(words) + 1))
    choice = FoldedChoice()
    for event in events:
        choice.add(event)
    assert len(choice.tokens) == len(words) + 1
