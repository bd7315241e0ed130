from hypothesis import example, given
from hypothesis import strategies as st

from model_loader.text_decoder import TextDecoder
from model_loader.tokenizer import Tokenizer


@given(token_ids=st.lists(st.one_of(st.integers(0, 351), st.integers(0x80, 0xFF))))
@example(token_ids=[0xE2, 0x82, 257, 0xAC])
@example(token_ids=[0xF0, 0x9F, 0x98])
@example(token_ids=list(range(352)))
def test_deltas_joined_are_the_whole_decoded(tokenizer: Tokenizer, token_ids: list[int]) -> None:
    decoder = TextDecoder(tokenizer)

    deltas = [decoder.feed(token_id) for token_id in token_ids]

    assert "".join(deltas) + decoder.flush() == tokenizer.decode(token_ids)


def test_an_unfinished_character_is_held_back(tokenizer: Tokenizer) -> None:
    decoder = TextDecoder(tokenizer)

    deltas = [decoder.feed(byte) for byte in "a€😀".encode()]

    assert deltas == ["a", "", "", "€", "", "", "", "😀"]


def test_a_character_that_never_completes_ends_as_a_replacement(tokenizer: Tokenizer) -> None:
    decoder = TextDecoder(tokenizer)

    assert decoder.feed(0xE2) == ""
    assert decoder.flush() == "\ufffd"
    assert decoder.flush() == ""
