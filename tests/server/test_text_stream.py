"""Tokens to text: half characters, stop strings, and log-probabilities that keep to the text."""

import codecs

import pytest
from hypothesis import given, settings, strategies

from engine.request import FinishReason, TokenEvent
from server.text_stream import ChoiceText, Piece

END = 256
INVISIBLE = 257


class ByteDecoder:
    """Ids below 256 are bytes; the others have no text."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token_id: int) -> str:
        return self._utf8.decode(bytes([token_id])) if token_id < 256 else ""

    def flush(self) -> str:
        return self._utf8.decode(b"", final=True)


def tokens_of(text: str) -> list[int]:
    return list(text.encode())


def play(
    ids: list[int],
    *,
    stops: tuple[str, ...] = (),
    min_tokens: int = 0,
    end: FinishReason = FinishReason.LENGTH,
) -> tuple[ChoiceText, list[Piece]]:
    """Feed ids until the choice is finished; `end` comes with the last one."""
    choice = ChoiceText(ByteDecoder(), stops, min_tokens)
    pieces = []
    for position, token_id in enumerate(ids):
        reason = end if position == len(ids) - 1 else None
        pieces.append(choice.feed(TokenEvent(choice=0, token_id=token_id, finish_reason=reason)))
        if choice.finish_reason is not None:
            break
    return choice, pieces


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def ids_of(pieces: list[Piece]) -> list[int]:
    return [token.event.token_id for piece in pieces for token in piece.tokens]


@settings(deadline=None)
@given(ids=strategies.lists(strategies.integers(0, 257), min_size=1, max_size=40))
def test_deltas_joined_are_the_whole_text(ids: list[int]) -> None:
    _, pieces = play(ids)
    whole = bytes(token_id for token_id in ids if token_id < 256)
    assert text_of(pieces) == whole.decode("utf-8", errors="replace")
    assert ids_of(pieces) == ids


@settings(deadline=None)
@given(
    text=strategies.text(alphabet="ab漢é", min_size=1, max_size=20),
    stops=strategies.lists(
        strategies.text(alphabet="ab漢é", min_size=1, max_size=3), min_size=1, max_size=3
    ),
)
def test_tokens_reported_are_those_whose_text_was_sent(text: str, stops: list[str]) -> None:
    choice, pieces = play(tokens_of(text), stops=tuple(stops))
    sent = text_of(pieces)
    assert bytes(ids_of(pieces)) == sent.encode()
    assert not any(stop in sent for stop in stops)
    assert (choice.stop_string is not None) == any(stop in text for stop in stops)
    starts = [token.start for piece in pieces for token in piece.tokens]
    assert starts == [index for index, char in enumerate(sent) for _ in char.encode()]


@settings(deadline=None)
@given(text=strategies.text(alphabet="ab漢é", min_size=1, max_size=20))
def test_a_token_is_never_reported_before_its_text(text: str) -> None:
    _, pieces = play(tokens_of(text), stops=("ab漢", "漢漢"))
    sent = reported = b""
    for piece in pieces:
        sent += piece.text.encode()
        reported += bytes(token.event.token_id for token in piece.tokens)
        assert sent == reported


def test_the_end_token_is_counted_but_neither_text_nor_reported() -> None:
    choice, pieces = play([*tokens_of("hi"), END], end=FinishReason.STOP)
    assert text_of(pieces) == "hi"
    assert ids_of(pieces) == tokens_of("hi")
    assert choice.num_tokens == 3
    assert choice.finish_reason is FinishReason.STOP
    assert choice.stop_string is None


def test_a_reply_cut_by_length_keeps_its_last_token() -> None:
    choice, pieces = play(tokens_of("hi"))
    assert text_of(pieces) == "hi"
    assert choice.finish_reason is FinishReason.LENGTH


def test_a_character_cut_in_half_by_length_becomes_a_replacement_character() -> None:
    _, pieces = play([*tokens_of("ok"), *tokens_of("漢")[:2]])
    assert text_of(pieces) == "ok\N{REPLACEMENT CHARACTER}"


def test_a_held_back_beginning_is_sent_at_the_end() -> None:
    choice, pieces = play([*tokens_of("see EN"), END], stops=("END",), end=FinishReason.STOP)
    assert text_of(pieces) == "see EN"
    assert choice.stop_string is None


def test_tokens_are_counted_up_to_the_one_that_completed_the_stop_string() -> None:
    choice, pieces = play(tokens_of("abENDxyz"), stops=("END",))
    assert text_of(pieces) == "ab"
    assert choice.num_tokens == 5
    assert choice.finish_reason is FinishReason.STOP
    assert choice.stop_string == "END"


def test_a_stop_string_on_the_last_allowed_token_is_a_stop_and_not_a_cut() -> None:
    choice, _ = play(tokens_of("aEND"), stops=("END",))
    assert choice.finish_reason is FinishReason.STOP


def test_a_stop_string_may_end_in_the_middle_of_a_character_sequence() -> None:
    choice, pieces = play(tokens_of("a漢字b"), stops=("漢字",))
    assert text_of(pieces) == "a"
    assert ids_of(pieces) == tokens_of("a")
    assert choice.num_tokens == 7


@pytest.mark.parametrize(("min_tokens", "sent"), [(0, "a"), (1, "a"), (2, "a.b"), (4, "a.b.c")])
def test_stop_strings_count_only_after_min_tokens(min_tokens: int, sent: str) -> None:
    _, pieces = play(tokens_of("a.b.c."), stops=(".",), min_tokens=min_tokens)
    assert text_of(pieces) == sent


def test_tokens_after_the_end_are_dropped() -> None:
    choice, _ = play(tokens_of("a."), stops=(".",))
    late = choice.feed(TokenEvent(choice=0, token_id=98))
    assert late == Piece("", ())
    assert choice.num_tokens == 2
