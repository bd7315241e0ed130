"""Whole replies, byte for byte but for what differs each time. Run as a module, it writes them."""

from typing import Any

from engine.errors import WorkerDied
from tests.fakes import Script
from tests.server.openai.golden import CALL, Scene, write
from tests.server.openai.support import says

ACCOUNT = "/client/v4/accounts/account/ai"
MODEL = "@cf/ibm-granite/granite-test"
RUN = f"{ACCOUNT}/run/{MODEL}"
_HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
_STREAM = {"stream": True}
_TOOLS = {"tools": [{"name": "weather", "description": "Tells", "parameters": {"type": "object"}}]}
SCENES = {
    "cloudflare_prompt.json": Scene(RUN, {"prompt": "Once"}, says("upon")),
    "cloudflare_messages.json": Scene(RUN, _HELLO, says("Hi there")),
    "cloudflare_prompt_stream.sse": Scene(RUN, {"prompt": "Once"} | _STREAM, says("Hi")),
    "cloudflare_chat_stream.sse": Scene(
        f"{ACCOUNT}/v1/chat/completions", _HELLO | _STREAM | {"model": MODEL}, says("Hi")
    ),
    "cloudflare_stream.sse": Scene(RUN, _HELLO | _STREAM, says("Hi 漢")),
    "cloudflare_stream_error.sse": Scene(
        RUN, _HELLO | _STREAM, Script(token_ids=tuple(b"Hi"), error=WorkerDied("killed"))
    ),
    "cloudflare_tools.json": Scene(RUN, _HELLO | _TOOLS, says(f"Hm\n{CALL}")),
    "cloudflare_tools_stream.sse": Scene(RUN, _HELLO | _TOOLS | _STREAM, says(f"Hm\n{CALL}")),
    "cloudflare_error.json": Scene(RUN, {"prompt": "Once", "top_k": 51}, says("")),
}


if __name__ == "__main__":
    write(SCENES)
