"""Any ids that a matcher lets through spell what its grammar says, and all of it can be said."""

import json
import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher

from sampling.grammar import GrammarVocabulary, InvalidGrammar, compile_grammar
from sampling.grammar_matcher import GrammarMatcher, GrammarStuck
from tests.byte_vocabulary import CALL, END, FIRST_BYTE, FIRST_WORD, byte_vocabulary, decode, encode

VOCABULARY = byte_vocabulary()
MAX_IDS = 300


def begin(source: str, vocabulary: GrammarVocabulary = VOCABULARY) -> GrammarMatcher:
    return GrammarMatcher(compile_grammar(source, vocabulary), vocabulary)


def lark(text: str) -> GrammarMatcher:
    return begin(LLMatcher.grammar_from_lark(text))


def regex(pattern: str) -> GrammarMatcher:
    return begin(LLMatcher.grammar_from_regex(pattern))


def schema(value: object) -> GrammarMatcher:
    source = LLMatcher.grammar_from_json_schema(
        json.dumps(value), overrides={"whitespace_flexible": False}
    )
    return begin(source)


def choices(matcher: GrammarMatcher) -> list[int]:
    ids = matcher.next_ids
    return [ids] if isinstance(ids, int) else np.flatnonzero(ids).tolist()


def walk(matcher: GrammarMatcher, seed: int, *, ends_early: bool = False) -> list[int]:
    """Ids drawn at random up to the end; with `ends_early`, the end is taken when it is allowed."""
    draw = random.Random(seed)
    ids: list[int] = []
    while len(ids) < MAX_IDS:
        allowed = choices(matcher)
        ids.append(END if ends_early and END in allowed else draw.choice(allowed))
        if ids[-1] == END:
            break
        matcher.accept(ids[-1])
    return ids


@pytest.mark.parametrize(
    "pattern", ["(yes|no)", "[a-f]{2,9}x?", "name: (na)*!", "é+ü", "-?[0-9]{1,4}(\\.[0-9]+)?"]
)
@given(seed=st.integers(0, 10_000))
def test_any_walk_to_the_end_spells_a_match(pattern: str, seed: int) -> None:
    ids = walk(regex(pattern), seed, ends_early=True)
    assert ids[-1] == END
    assert re.fullmatch(pattern, decode(ids).decode())


@given(seed=st.integers(0, 10_000))
def test_any_walk_through_a_schema_is_an_instance_of_it(seed: int) -> None:
    person = {
        "type": "object",
        "properties": {
            "name": {"enum": ["Ann", "Bob", "na: na"]},
            "age": {"type": "integer", "minimum": 0, "maximum": 130},
        },
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    value = json.loads(decode(walk(schema(person), seed)))
    assert value["name"] in {"Ann", "Bob", "na: na"}
    assert 0 <= value["age"] <= 130
    assert len(value) == 2


@given(st.text(alphabet="anme: yes{é", max_size=30))
def test_every_spelling_of_a_match_is_let_through_where_nothing_is_forced(text: str) -> None:
    matcher = regex("(.|\n)*")
    for spelling in (encode(text.encode()), [FIRST_BYTE + byte for byte in text.encode()]):
        attempt = matcher.copy()
        for token_id in spelling:
            assert token_id in choices(attempt)
            attempt.accept(token_id)
        assert END in choices(attempt)


def test_text_without_a_choice_is_spelt_as_the_tokenizer_spells_it_and_then_ends() -> None:
    matcher = regex("name: no!")
    ids = []
    while forced := matcher.forced_ids:
        ids.append(forced[0])
        matcher.accept(forced[0])
    assert ids == [*encode(b"name: no!"), END]


def test_where_text_may_go_on_several_ways_only_its_certain_beginning_is_forced() -> None:
    open_ended = schema(
        {"type": "object", "properties": {"na": {"type": "string"}}, "required": ["na"]}
    )
    assert decode(list(open_ended.forced_ids)) == b'{"na":"'


def test_an_end_that_is_only_one_of_the_choices_is_not_forced() -> None:
    matcher = regex("a*")
    assert matcher.forced_ids == ()
    assert set(choices(matcher)) == {END, FIRST_BYTE + ord("a")}


def test_control_tokens_are_never_text_but_can_be_named() -> None:
    assert CALL not in choices(regex("(.|\n)*"))
    assert lark(f'start: <[{CALL}]> "x"').forced_ids[0] == CALL
    assert choices(lark(f"start: TEXT <[{CALL}]>\nTEXT: /(.|\\n)*/"))[0] == CALL


def test_ids_without_a_token_are_never_allowed() -> None:
    vocabulary = byte_vocabulary(size=1000)
    allowed = begin(LLMatcher.grammar_from_regex("(.|\n)*"), vocabulary).next_ids
    assert not isinstance(allowed, int)
    assert allowed.shape == (1000,)
    assert not allowed[FIRST_WORD + 5 :].any()


def test_long_text_without_a_choice_is_known_to_its_end() -> None:
    matcher = schema({"const": "na" * 5000})
    ids = []
    while forced := matcher.forced_ids:
        ids.append(forced[0])
        matcher.accept(forced[0])
    assert ids == [*encode(b'"' + b"na" * 5000 + b'"'), END]


@pytest.mark.slow
def test_a_grammar_without_an_end_is_given_up() -> None:
    with pytest.raises(GrammarStuck):
        walk(lark('start: "ab" start'), seed=0)


def test_a_copy_goes_its_own_way() -> None:
    matcher = regex("(ab|cd)")
    twin = matcher.copy()
    matcher.accept(FIRST_BYTE + ord("a"))
    twin.accept(FIRST_BYTE + ord("c"))
    assert matcher.forced_ids[0] == FIRST_BYTE + ord("b")
    assert twin.forced_ids[0] == FIRST_BYTE + ord("d")


@pytest.mark.parametrize("wrong", [b"z", b"b"])
def test_an_id_that_is_not_allowed_is_refused(wrong: bytes) -> None:
    with pytest.raises(GrammarStuck):
        regex("a[xy]").accept(FIRST_BYTE + wrong[0])
    matcher = regex("a[xy]")
    matcher.accept(FIRST_BYTE + ord("a"))
    with pytest.raises(GrammarStuck):
        matcher.accept(FIRST_BYTE + wrong[0])


def test_a_grammar_that_becomes_too_complex_on_the_way_is_given_up() -> None:
    matcher = regex("((a{1,1000}){1,1000}){1,1000}")
    with pytest.raises(GrammarStuck):
        for _ in range(10_000):
            matcher.accept(FIRST_BYTE + ord("a"))


@pytest.mark.parametrize(
    "text", ["start: a\na: b\nb: a", "start: x", "", "start: (", "start: /[^\\x00-\\u{10ffff}]/"]
)
def test_a_source_that_nothing_matches_is_refused(text: str) -> None:
    with pytest.raises((InvalidGrammar, GrammarStuck)):
        lark(text)
