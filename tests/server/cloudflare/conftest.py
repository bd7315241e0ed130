"""A scripted server, and short ways to ask it as Workers AI is asked."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cloudflare import Cloudflare
from starlette.testclient import TestClient

from tests.fakes import FakeEngine
from tests.server.openai.support import ALIAS, Bench
from tests.server.scripted import bench, client, engine, plain_script

__all__ = ["bench", "client", "engine", "plain_script"]

MODEL = f"@cf/{ALIAS}"
RUN = f"/client/v4/accounts/account/ai/run/{MODEL}"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
ONCE: dict[str, Any] = {"prompt": "Once"}
KEY = "k" * 32

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(client: TestClient) -> Ask:
    """The result of a request that succeeds."""

    def ask(body: dict[str, Any], query: str = "") -> dict[str, Any]:
        response = client.post(RUN + query, json=body)
        assert response.status_code == 200, response.text
        envelope = response.json()
        result: dict[str, Any] = envelope.pop("result")
        assert envelope == {"success": True, "errors": [], "messages": []}
        return result

    return ask


@pytest.fixture(scope="module")
def sdk(bench: Bench, engine: FakeEngine) -> Iterator[Cloudflare]:
    with bench.live(engine, api_key=[KEY]) as port:
        url = f"http://127.0.0.1:{port}/client/v4"
        with Cloudflare(api_token=KEY, base_url=url, max_retries=0) as sdk:
            yield sdk
