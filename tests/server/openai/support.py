"""A whole server around a scripted engine: one token a byte, so that every reply can be spelt."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from engine.request import GenerationRequest
from model_loader.chat_template import ChatTemplate
from model_loader.tokenizer import Tokenizer
from server.app import create_app
from server.settings import Settings
from tests.fakes import FakeEngine, Script
from tests.server.live import running
from tests.tiny_tokenizer import write_tokenizer

MODEL = "granite-test"
ALIAS = "ibm-granite/granite-test"
END_OF_TEXT = 257
VOCAB_SIZE = 352
HELLO: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
ONCE: dict[str, Any] = {"model": MODEL, "prompt": "Once"}

Scripts = Script | Callable[[GenerationRequest], Script]


def says(text: str, **script: Any) -> Script:
    """A script that answers `text` and ends its turn."""
    return Script(token_ids=(*text.encode(), END_OF_TEXT), **script)


def fake_engine(script: Scripts, **options: Any) -> FakeEngine:
    return FakeEngine(script, vocab_size=VOCAB_SIZE, **options)


class Bench:
    """Makes applications over one tokenizer and template."""

    def __init__(self, tokenizer: Tokenizer, template: ChatTemplate) -> None:
        self.tokenizer = tokenizer
        self.template = template

    @classmethod
    def in_directory(cls, directory: Path) -> "Bench":
        """Write the tokenizer's files there and read them."""
        write_tokenizer(directory)
        tokenizer = Tokenizer.from_directory(directory)
        return cls(tokenizer, ChatTemplate.from_directory(directory, tokenizer))

    def app(self, engine: FakeEngine, **settings: Any) -> FastAPI:
        return create_app(
            engine, self.tokenizer, self.template, Settings(port=0, **settings), [MODEL, ALIAS]
        )

    @contextmanager
    def live(self, engine: FakeEngine, **settings: Any) -> Iterator[int]:
        """Serve on a free port of this machine, and yield it."""
        app = self.app(engine, **settings)
        with running(app, app.state.services.settings) as port:
            yield port
