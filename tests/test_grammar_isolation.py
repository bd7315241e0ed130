"""Grammars of a served model live in processes of their own: what befalls these, others survive."""

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from openai import APIError, OpenAI, Stream
from openai.types.chat import ChatCompletionChunk

from tests.conftest import serve_demo

pytestmark = pytest.mark.slow

DEADLINE = 60
FORM = {"guided_regex": "[a-z]{3}( [a-z]{3}){6}"}


class Served:
    def __init__(self, client: OpenAI, model: str, pid: int) -> None:
        self._client = client
        self._model = model
        self._process = psutil.Process(pid)

    def fields(self, form: dict[str, Any] | None) -> dict[str, Any]:
        question = {"role": "user", "content": "Count from 1 to 9."}
        fields = {"model": self._model, "messages": [question], "temperature": 0}
        return {**fields, "max_tokens": 60, "extra_body": form or {}}

    def text(self, form: dict[str, Any] | None = None) -> str:
        reply = self._client.chat.completions.create(**self.fields(form))
        assert reply.choices[0].finish_reason == "stop"
        return reply.choices[0].message.content or ""

    def stream(self, form: dict[str, Any]) -> Stream[ChatCompletionChunk]:
        stream: Stream[ChatCompletionChunk] = self._client.chat.completions.create(
            stream=True, **self.fields(form)
        )
        return stream

    def worker(self) -> psutil.Process:
        return self._running("engine.__main__")[0]

    def grammars(self) -> list[psutil.Process]:
        """The processes of single grammars, children of the one that has the vocabulary."""
        (nursery,) = self._running("engine.grammars.nursery", among=self.worker().children())
        return nursery.children()

    def everybody(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def _running(
        self, module: str, among: list[psutil.Process] | None = None
    ) -> list[psutil.Process]:
        processes = self._process.children() if among is None else among
        return [process for process in processes if module in process.cmdline()]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_demo(tmp_path_factory.mktemp("server")) as (server, process):
        url = f"{server.url}/v1"
        with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=DEADLINE) as client:
            yield Served(client, server.model, process.pid)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def joined(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_a_grammar_that_stalls_delays_nobody_else_and_changes_nothing(served: Served) -> None:
    undisturbed = served.text(FORM)
    free = served.text()
    (grammar,) = served.grammars()
    grammar.send_signal(signal.SIGSTOP)
    stream = iter(served.stream(FORM))
    chunks = [next(stream)]  # it is known what a reply may begin with
    for _ in range(3):
        assert served.text() == free
    assert served.text({"guided_choice": ["left", "right"]}) in {"left", "right"}
    grammar.send_signal(signal.SIGCONT)
    chunks += stream
    assert joined(chunks) == undisturbed


def test_the_death_of_a_grammar_fails_its_replies_only(served: Served) -> None:
    form = {"guided_regex": "[a-z]{3}( [a-z]{3}){7}"}
    served.text(FORM)
    others = served.grammars()
    expected = served.text(form)
    worker = served.worker()
    (grammar,) = (process for process in served.grammars() if process not in others)
    grammar.send_signal(signal.SIGSTOP)
    stream = iter(served.stream(form))
    next(stream)
    grammar.kill()
    with pytest.raises(APIError, match="grammar") as caught:
        list(stream)
    assert caught.value.code == "grammar_failed"
    assert served.text(form) == expected
    assert served.worker() == worker


def test_nothing_is_left_when_the_server_is_killed(served: Served) -> None:
    served.text(FORM)
    everybody = served.everybody()
    assert len(everybody) >= 5  # server, checker, worker, nursery, grammar
    everybody[0].kill()
    until(lambda: not any(p.is_running() and p.status() != "zombie" for p in everybody))
