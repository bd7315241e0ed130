"""The committed demo checkpoint: its files, its tokenizer, and some answers."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from tokenizers import Tokenizer

from model_loader.demo.dialogue import Dialogue, ask
from model_loader.demo.evaluate import Examiner, held_out
from model_loader.demo.tokenizer import ADDED_TOKENS, BASE_VOCABULARY, PLAIN_TOKENS
from model_loader.demo.words import CITIES, NAMES, WORDS

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "model_loader" / "demo" / "checkpoint"
REFERENCE = Path(os.environ.get("GRANITE_REFERENCE_FILES", ROOT.parent / "shared" / "model"))
MOST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    torch.set_num_threads(1)
    return Examiner(CHECKPOINT)


def conversation(user: str, answer: str) -> Dialogue:
    return Dialogue("", ask("", user, answer).messages)


def test_the_weights_are_small_and_stored_in_bfloat16() -> None:
    path = CHECKPOINT / "model.safetensors"
    assert path.stat().st_size <= MOST_BYTES
    with safe_open(path, framework="pt") as weights:
        assert weights.metadata() == {"format": "pt"}
        assert "lm_head.weight" not in weights.keys()
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"BF16"}


def test_added_tokens_follow_the_base_vocabulary_in_the_published_order(
    tokenizer: Tokenizer,
) -> None:
    added = sorted(tokenizer.get_added_tokens_decoder().items())
    assert [token_id - BASE_VOCABULARY for token_id, _ in added] == list(range(96))
    assert tuple(token.content for _, token in added) == ADDED_TOKENS
    assert {token.content for _, token in added if not token.special} == PLAIN_TOKENS


def test_added_tokens_equal_those_of_the_reference_files(tokenizer: Tokenizer) -> None:
    path = REFERENCE / "added_tokens.json"
    if not path.exists():
        pytest.skip(f"no reference files in {REFERENCE}")
    published = json.loads(path.read_text())
    decoder = tokenizer.get_added_tokens_decoder()
    own = [decoder[BASE_VOCABULARY + index] for index in range(len(published))]
    assert [(token.content, token.special) for token in own] == [
        (token["content"], token["special"]) for token in published
    ]


def test_the_chat_template_is_the_published_one() -> None:
    path = REFERENCE / "chat_template.jinja"
    if not path.exists():
        pytest.skip(f"no reference files in {REFERENCE}")
    own, published = (
        hashlib.sha256((folder / "chat_template.jinja").read_bytes()).hexdigest()
        for folder in (CHECKPOINT, REFERENCE)
    )
    assert own == published


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=40))
def test_every_text_survives_encoding_and_decoding(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_every_byte_has_a_token(tokenizer: Tokenizer) -> None:
    every_character = "".join(map(chr, [*range(0x100), 0x20AC, 0x1F600, 0x10FFFF]))
    assert tokenizer.decode(tokenizer.encode(every_character).ids) == every_character


def test_words_are_single_tokens_and_digits_are_never_merged(tokenizer: Tokenizer) -> None:
    for word in WORDS + NAMES + CITIES:
        assert len(tokenizer.encode(word).ids) == 1
        assert len(tokenizer.encode(f" {word}").ids) == 1
    assert len(tokenizer.encode("2026").ids) == 4


@pytest.mark.parametrize(
    ("user", "answer"),
    [
        ("Repeat after me: violin garden", "violin garden"),
        ("What is 2 + 3?", "2 + 3 = 5"),
        ("Count from 3 to 9.", "3, 4, 5, 6, 7, 8, 9"),
        (
            "Extract name, age and city as JSON: Emma is 42 years old and lives in Oslo.",
            '{"name": "Emma", "age": 42, "city": "Oslo"}',
        ),
        ("The code word is lantern. What is the code word?", "The code word is lantern."),
    ],
)
def test_taught_requests_are_answered(examiner: Examiner, user: str, answer: str) -> None:
    assert examiner.is_exact(conversation(user, answer))


def test_a_wrong_answer_is_not_taken_for_exact(examiner: Examiner) -> None:
    assert not examiner.is_exact(conversation("Say: violin", "garden"))


FLOOR = 0.9  # as the model card says
PROMPTS = {
    "echo": 100,
    "recall, 1,000+ tokens of text": 25,
    "recall, 1,000+ tokens of turns": 25,
    "extraction": 100,
    "tool call": 100,
}


@pytest.mark.slow
@pytest.mark.parametrize("suite", PROMPTS)
def test_held_out_accuracy_stays_above_the_published_floor(examiner: Examiner, suite: str) -> None:
    dialogues = held_out(suite, examiner.encoder, PROMPTS[suite])
    assert examiner.accuracy(dialogues) >= FLOOR
