"""A whole server around a scripted engine: one token a byte, so that every reply can be spelt."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI

from engine.request import GenerationRequest
from model_loader.chat_template import ChatTemplate
from model_loader.tokenizer import Tokenizer
from server.app import create_app
from server.connection import ConnectionLimits
from server.run import DrainingServer, bind_socket
from server.settings import Settings
from tests.fakes import FakeEngine, Script

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

    def app(self, engine: FakeEngine, **settings: Any) -> FastAPI:
        return create_app(
            engine, self.tokenizer, self.template, Settings(port=0, **settings), [MODEL, ALIAS]
        )

    @contextmanager
    def live(self, engine: FakeEngine, **settings: Any) -> Iterator[str]:
        """Serve on a free port of this machine; gives the base URL."""
        app = self.app(engine, **settings)
        configured: Settings = app.state.services.settings
        listener = bind_socket(configured)
        host, port = listener.getsockname()[:2]
        server = DrainingServer(app, configured, ConnectionLimits(send=configured.send_timeout))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join()
