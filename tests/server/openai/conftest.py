"""The tokenizer and template of the tiny checkpoint, once a session."""

import pytest

from model_loader.chat_template import ChatTemplate
from model_loader.tokenizer import Tokenizer
from tests.server.openai.support import Bench
from tests.tiny_tokenizer import write_tokenizer


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    directory = write_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    tokenizer = Tokenizer.from_directory(directory)
    return Bench(tokenizer, ChatTemplate.from_directory(directory, tokenizer))
