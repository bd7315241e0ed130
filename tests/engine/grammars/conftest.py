from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.grammars.nursery import nursery_command
from engine.grammars.processes import GrammarProcesses
from tests.engine.grammars.support import Start
from tests.tiny_tokenizer import write_tokenizer


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture
def start(checkpoint: Path) -> Iterator[Start]:
    started: list[GrammarProcesses] = []

    def start(seconds: float = 20.0) -> GrammarProcesses:
        started.append(GrammarProcesses(nursery_command(str(checkpoint), seconds)))
        return started[-1]

    yield start
    for grammars in started:
        grammars.close()


@pytest.fixture
def grammars(start: Start) -> GrammarProcesses:
    return start()
