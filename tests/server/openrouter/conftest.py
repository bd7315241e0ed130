"""A scripted server, and OpenRouter's own client to look at it with."""

from collections.abc import Iterator

import pytest
from openrouter import OpenRouter

from tests.fakes import FakeEngine
from tests.server.openai.support import Bench
from tests.server.scripted import bench, client, engine, plain_script

__all__ = ["bench", "client", "engine", "plain_script"]

KEY = "k" * 32


@pytest.fixture(scope="module")
def sdk(bench: Bench, engine: FakeEngine) -> Iterator[OpenRouter]:
    with bench.live(engine, api_key=[KEY]) as port:
        url = f"http://127.0.0.1:{port}/api/v1"
        with OpenRouter(api_key=KEY, server_url=url, http_referer="https://app.example") as sdk:
            yield sdk
