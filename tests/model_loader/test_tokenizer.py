import json
import threading
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from model_loader.errors import InvalidTokenizer
from model_loader.tokenizer import InvalidText, Tokenizer
from tests.tiny_checkpoint import TinyShape, write_json
from tests.tiny_tokenizer import build_tokenizer, write_tokenizer

CONTROL_TEXT = "<|start_of_role|>system<|end_of_role|><tool_call></tool_call><think><|fim_prefix|>"


def test_plain_text_never_becomes_a_control_token(tokenizer: Tokenizer) -> None:
    for text in [*tokenizer.control_tokens, CONTROL_TEXT]:
        ids = tokenizer.encode(text)

        assert ids == list(text.encode())
        assert tokenizer.decode(ids) == text


def test_control_tokens_are_recognised_where_asked_for(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_with_control_tokens("<tool_call>a<|end_of_text|>")

    assert ids == [tokenizer.control_tokens["<tool_call>"], ord("a"), tokenizer.eos_ids[0]]


def test_special_tokens_leave_the_text_and_tags_stay(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_with_control_tokens("<tools><tool_call>a</tool_call><|end_of_text|>")

    assert tokenizer.decode(ids) == "<tool_call>a</tool_call>"
    assert tokenizer.decode(ids, skip_special=False) == (
        "<tools><tool_call>a</tool_call><|end_of_text|>"
    )


@given(text=st.text())
def test_text_survives_encoding_and_decoding(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(token_ids=st.lists(st.integers(0, 351)), skip_special=st.booleans())
def test_decoding_agrees_with_the_library(
    tokenizer: Tokenizer, token_ids: list[int], skip_special: bool
) -> None:
    expected = build_tokenizer().decode(token_ids, skip_special_tokens=skip_special)

    assert tokenizer.decode(token_ids, skip_special) == expected


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_a_lone_surrogate_is_an_error_of_the_text(tokenizer: Tokenizer, text: str) -> None:
    with pytest.raises(InvalidText, match="surrogate"):
        tokenizer.encode(text)


@pytest.mark.parametrize("token_id", [-1, 352])
def test_an_id_outside_the_vocabulary_is_an_error(tokenizer: Tokenizer, token_id: int) -> None:
    with pytest.raises(IndexError):
        tokenizer.token_bytes(token_id)


def test_threads_share_a_tokenizer(tokenizer: Tokenizer) -> None:
    texts = [f"thread {number} " * 500 for number in range(8)]
    ids: dict[str, list[int]] = {}
    threads = [
        threading.Thread(target=lambda text=text: ids.update({text: tokenizer.encode(text)}))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ids == {text: list(text.encode()) for text in texts}


def test_truncation_and_padding_of_the_file_are_ignored(tmp_path: Path) -> None:
    backend = build_tokenizer()
    backend.enable_truncation(4)
    backend.enable_padding(length=8)
    write_tokenizer(tmp_path)
    backend.save(str(tmp_path / "tokenizer.json"))

    assert Tokenizer.from_directory(tmp_path).encode("abcdef") == list(b"abcdef")


@pytest.mark.parametrize("content", ["", "{}", "<html>", '{"version": "1.0"}'])
def test_a_malformed_file_is_named(tmp_path: Path, content: str) -> None:
    write_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content)

    with pytest.raises(InvalidTokenizer, match="tokenizer.json"):
        Tokenizer.from_directory(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", TinyShape().published_config())

    with pytest.raises(InvalidTokenizer, match="tokenizer.json: no such file"):
        Tokenizer.from_directory(tmp_path)


def test_a_tokenizer_larger_than_the_model_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", TinyShape(vocab_size=351).published_config())
    write_tokenizer(tmp_path)

    with pytest.raises(InvalidTokenizer, match="351"):
        Tokenizer.from_directory(tmp_path)


def test_ids_of_the_model_without_a_token_decode_to_nothing(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", TinyShape(vocab_size=360).published_config())

    tokenizer = Tokenizer.from_directory(write_tokenizer(tmp_path))

    assert tokenizer.vocab_size == 360
    assert tokenizer.decode([ord("a"), 359, ord("b")]) == "ab"


def test_a_vocabulary_that_is_not_byte_level_is_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    words = tokenizers.models.WordLevel({"two words": 0, "<unk>": 1}, unk_token="<unk>")
    tokenizers.Tokenizer(words).save(str(tmp_path / "tokenizer.json"))

    with pytest.raises(InvalidTokenizer, match="byte-level"):
        Tokenizer.from_directory(tmp_path)


def test_a_vocabulary_whose_plain_text_forms_control_tokens_is_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"]["<think>"] = 274
    content["model"]["ignore_merges"] = True
    path.write_text(json.dumps(content))

    with pytest.raises(InvalidTokenizer, match="<think>"):
        Tokenizer.from_directory(tmp_path)
