"""Tokenizers and templates that many tests of this folder read and none changes."""

from pathlib import Path

import pytest

from model_loader.chat_template import ChatTemplate
from model_loader.tokenizer import Tokenizer
from tests.tiny_tokenizer import write_tokenizer


@pytest.fixture(scope="session")
def tokenizer_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def tokenizer(tokenizer_directory: Path) -> Tokenizer:
    return Tokenizer.from_directory(tokenizer_directory)


@pytest.fixture(scope="session")
def template(tokenizer_directory: Path, tokenizer: Tokenizer) -> ChatTemplate:
    return ChatTemplate.from_directory(tokenizer_directory, tokenizer)
