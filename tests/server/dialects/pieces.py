"""A server whose model writes any text in any tokens, half characters included."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tokenizers
from starlette.testclient import TestClient

from model_loader.chat_template import ChatTemplate
from model_loader.config import ModelConfig
from model_loader.tokenizer import Tokenizer
from tests.fakes import FakeEngine, Script
from tests.server.openai.support import END_OF_TEXT, Bench, fake_engine
from tests.tiny_tokenizer import write_tokenizer

FIRST_PIECE = 1000


class PieceTokenizer(Tokenizer):
    """`pieces` are the bytes of tokens from FIRST_PIECE on, made up for one reply."""

    def __init__(self, backend: tokenizers.Tokenizer, config: ModelConfig) -> None:
        super().__init__(backend, config)
        self.pieces: Sequence[bytes] = ()

    def token_bytes(self, token_id: int) -> bytes:
        if token_id < FIRST_PIECE:
            return super().token_bytes(token_id)
        return self.pieces[token_id - FIRST_PIECE]


class PieceServer:
    def __init__(self, client: TestClient, engine: FakeEngine, tokenizer: PieceTokenizer) -> None:
        self.client = client
        self._engine = engine
        self._tokenizer = tokenizer

    def write(self, pieces: Sequence[bytes]) -> None:
        """Let the next replies be these, and then the end of the turn."""
        self._tokenizer.pieces = pieces
        ids = range(FIRST_PIECE, FIRST_PIECE + len(pieces))
        self._engine.script = Script(token_ids=(*ids, END_OF_TEXT))


@contextmanager
def piece_server(directory: Path) -> Iterator[PieceServer]:
    write_tokenizer(directory)
    tokenizer = PieceTokenizer.from_directory(directory)
    assert isinstance(tokenizer, PieceTokenizer)
    bench = Bench(tokenizer, ChatTemplate.from_directory(directory, tokenizer))
    engine = fake_engine(Script())
    with TestClient(bench.app(engine), base_url="http://localhost") as client:
        yield PieceServer(client, engine, tokenizer)
