"""A client that sends hostile forms gets refusals, and nobody else notices."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.server.grammars.hostile import CHAIN, MANY_MEMBERS, checks
from tests.server.openai.support import HELLO, Bench, fake_engine, says

pytestmark = pytest.mark.slow

ROUTE = "/v1/chat/completions"
SLOW = {**HELLO, "guided_json": MANY_MEMBERS}
DEEP = {**HELLO, "guided_grammar": CHAIN.source}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench.in_directory(tmp_path_factory.mktemp("tokenizer"))


async def post(client: httpx2.AsyncClient, body: dict[str, Any]) -> httpx2.Response:
    return await client.post(ROUTE, json=body, timeout=60)


async def test_others_are_answered_while_hostile_forms_are_compiled(tokens: Bench) -> None:
    with tokens.live(fake_engine(says("Hi")), grammar_timeout=0.5) as port:
        await _attack(f"http://127.0.0.1:{port}")


async def _attack(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        hostile = [asyncio.create_task(post(client, SLOW)) for _ in range(32)]
        hostile += [asyncio.create_task(post(client, DEEP)) for _ in range(2)]
        num_answered = 0
        while not any(task.done() for task in hostile):
            assert (await post(client, HELLO)).status_code == 200
            assert (await client.get("/health/live")).status_code == 200
            num_answered += 1
        # Compiled in the API process, forms would keep the second of these waiting.
        assert num_answered >= 2
        for response in await asyncio.gather(*hostile):
            error = response.json()["error"]
            assert response.status_code == 400
            assert error["message"] == f"{error['param']}: too complex to be compiled"
        response = await post(client, {**HELLO, "guided_regex": "[ab]"})
        assert response.status_code == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_the_work_on_its_form(tokens: Bench, stream: bool) -> None:
    with tokens.live(fake_engine(says("Hi")), grammar_timeout=60) as port:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            waiting = asyncio.create_task(post(client, {**SLOW, "stream": stream}))
            async with asyncio.timeout(60):
                while not any(process.cpu_times().user > 0.1 for process in checks()):
                    await asyncio.sleep(0.01)
            waiting.cancel()
            async with asyncio.timeout(60):
                while checks():
                    await asyncio.sleep(0.01)
            assert (await post(client, HELLO)).status_code == 200
