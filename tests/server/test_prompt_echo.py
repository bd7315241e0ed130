"""A reply that begins with its prompt: text, places and scores of every token."""

from collections.abc import AsyncGenerator, Iterable

import pytest

from engine.request import ScoredToken, TokenEvent, TokenLogprob
from model_loader.tokenizer import Tokenizer
from server.events import ChoiceFinished, EndReason, Event, Progress, PromptScored, TextDelta
from server.prompt_echo import PromptEcho, after_prompts
from server.text_stream import PlacedToken
from tests.tiny_tokenizer import write_tokenizer

START_OF_ROLE = 264


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.from_directory(write_tokenizer(tmp_path_factory.mktemp("tokenizer")))


async def stream(events: Iterable[Event]) -> AsyncGenerator[Event]:
    for event in events:
        yield event


def delta(choice: int, letter: str, start: int) -> TextDelta:
    token = TokenEvent(choice=choice, token_id=ord(letter))
    return TextDelta(choice, letter, (PlacedToken(token, start),))


def test_tokens_are_placed_where_their_text_begins_also_within_characters(
    tokenizer: Tokenizer,
) -> None:
    echo = PromptEcho.of((*"né".encode(), START_OF_ROLE, 33), tokenizer, 0)
    assert echo.text == "né<|start_of_role|>!"
    assert echo.starts == (0, 1, 1, 2, 19)


def test_a_prompt_that_ends_within_a_character_still_has_a_text(tokenizer: Tokenizer) -> None:
    assert PromptEcho.of((97, 0xE6), tokenizer, 0).text == "a\N{REPLACEMENT CHARACTER}"


def test_all_but_the_first_token_have_their_score_with_no_more_alternatives_than_asked(
    tokenizer: Tokenizer,
) -> None:
    others = (TokenLogprob(1, -0.1), TokenLogprob(2, -0.2))
    scores = [ScoredToken(98, -1.0, 9, others), ScoredToken(99, -2.0, 9, others)]
    events = [t.event for t in PromptEcho.of((97, 98, 99), tokenizer, 1).delta(4, scores).tokens]
    assert [(e.choice, e.token_id, e.logprob) for e in events] == [
        (4, 97, None),
        (4, 98, -1.0),
        (4, 99, -2.0),
    ]
    assert [event.top_logprobs for event in events] == [(), others[:1], others[:1]]


async def test_each_choice_begins_with_its_prompt_and_goes_on_behind_it(
    tokenizer: Tokenizer,
) -> None:
    echoes = [PromptEcho.of(tuple(text), tokenizer, 0) for text in (b"ab", b"xyz")]
    events: list[Event] = [
        Progress(0, 2, 2),
        PromptScored(0, (ScoredToken(98, -1.0, 1),)),
        delta(0, "c", 0),
        PromptScored(1, (ScoredToken(ord("y"), -2.0, 1),)),
        PromptScored(1, (ScoredToken(ord("z"), -3.0, 1),)),
        delta(0, "d", 1),
        ChoiceFinished(1, EndReason.LENGTH, None),
    ]
    told = [event async for event in after_prompts(stream(events), echoes)]
    texts = [(e.choice, e.text) for e in told if isinstance(e, TextDelta)]
    assert texts == [(0, "ab"), (0, "c"), (0, "d"), (1, "xyz")]
    assert isinstance(told[-1], ChoiceFinished)
    tokens = [t for e in told if isinstance(e, TextDelta) for t in e.tokens if e.choice == 0]
    assert [token.start for token in tokens] == [0, 1, 2, 3]
    assert [t.event.logprob for t in told[-2].tokens] == [None, -2.0, -3.0]  # type: ignore[union-attr]  # a TextDelta, see above


async def test_closing_early_closes_what_the_events_come_from(tokenizer: Tokenizer) -> None:
    source = stream([delta(0, "c", 0), delta(0, "d", 1)])
    echoing = after_prompts(source, [PromptEcho.of((97,), tokenizer, 0)])
    await anext(echoing)
    await echoing.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(source)
