"""Workers AI's dialect with the demo model, over a real socket."""

import json
import time
from typing import Any, cast

import httpx2
import pytest
from cloudflare import Cloudflare
from cloudflare.types.ai import ai_run_response

from tests.conftest import DemoServer

MODEL = "@cf/ibm-granite/granite-4.0-h-micro"
ECHO: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Repeat after me: river"}],
    "temperature": 0,
    "max_tokens": 32,
}

pytestmark = pytest.mark.slow


def url(server: DemoServer) -> str:
    return f"{server.url}/client/v4/accounts/account/ai/run/{MODEL}"


def streamed(server: DemoServer, body: dict[str, Any]) -> list[dict[str, Any]]:
    frames = []
    with httpx2.stream("POST", url(server), json=body | {"stream": True}, timeout=60) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                frames.append(line.removeprefix("data: "))
    assert frames.pop() == "[DONE]"
    return [json.loads(frame) for frame in frames]


def test_cloudflares_client_is_answered_as_the_stream_is(demo_server: DemoServer) -> None:
    with Cloudflare(api_token="none", base_url=f"{demo_server.url}/client/v4") as sdk:
        result = sdk.ai.run(
            MODEL,
            account_id="account",
            messages=[{"role": "user", "content": "Repeat after me: river"}],
            temperature=0,
            max_tokens=32,
        )
    whole = ai_run_response.UnionMember8.model_validate(result)
    assert "river" in whole.response
    *parts, last = streamed(demo_server, ECHO)
    assert "".join(part["response"] for part in parts) == whole.response
    assert last["usage"] == cast("dict[str, Any]", result)["usage"]


def test_json_mode_gives_the_demanded_object(demo_server: DemoServer) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["Bonn", "Rome"]}},
        "required": ["city"],
        "additionalProperties": False,
    }
    wanted = {"response_format": {"type": "json_schema", "json_schema": schema}}
    body = ECHO | wanted | {"max_tokens": 200}
    result = httpx2.post(url(demo_server), json=body, timeout=60).json()["result"]
    assert result["response"]["city"] in ("Bonn", "Rome")
    text = "".join(part["response"] for part in streamed(demo_server, body))
    assert json.loads(text) == result["response"]


def test_a_queued_batch_has_the_same_texts(demo_server: DemoServer) -> None:
    alone = httpx2.post(url(demo_server), json=ECHO, timeout=60).json()["result"]["response"]
    batch = {"requests": [ECHO | {"external_reference": str(n)} for n in range(4)]}
    queue = {"queueRequest": "true"}
    begun = httpx2.post(url(demo_server), params=queue, json=batch).json()["result"]
    assert begun["status"] == "queued"
    deadline = time.monotonic() + 60
    result = begun
    while "responses" not in result and time.monotonic() < deadline:
        time.sleep(0.1)
        poll = {"request_id": begun["request_id"]}
        result = httpx2.post(url(demo_server), params=queue, json=poll).json()["result"]
    assert [each["result"]["response"] for each in result["responses"]] == [alone] * 4
    assert [each["external_reference"] for each in result["responses"]] == list("0123")
