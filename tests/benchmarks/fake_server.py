"""A completions server without a model: one word a token, at a pace known beforehand.

`python tests/benchmarks/fake_server.py --port 8123` runs it as a process of its own.
"""

import argparse
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FIRST_TOKEN_SECONDS = 0.05
TOKEN_SECONDS = 0.01
METRICS = """\
# TYPE granite_step_seconds counter
granite_step_seconds_total {step}
# TYPE granite_forward_seconds counter
granite_forward_seconds_total {forward}
# TYPE granite_sampling_seconds counter
granite_sampling_seconds_total {sampling}
"""


class FakeServer(ThreadingHTTPServer):
    """`bodies` are the requests so far. Each spends 10 s in steps: 7 in the network, 2 sampling."""

    daemon_threads = True

    def __init__(
        self,
        port: int = 0,
        *,
        reports_usage: bool = True,
        fails: bool = False,
        first_token_seconds: float = FIRST_TOKEN_SECONDS,
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.first_token_seconds = first_token_seconds
        self.bodies: list[dict[str, Any]] = []
        self.reports_usage = reports_usage
        self.fails = fails

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_GET(self) -> None:
        done = len(self.server.bodies)
        pages = {
            "/health": "{}",
            "/health/live": "{}",
            "/metrics": METRICS.format(step=10 * done, forward=7 * done, sampling=2 * done),
        }
        self._answer(200 if self.path in pages else 404, pages.get(self.path, ""))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.bodies.append(body)
        if self.server.fails:
            self._answer(422, "no such field")
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            for event in self._events(body):
                self.wfile.write(f"data: {event}\n\n".encode())
        except ConnectionError:
            return  # the client has read enough

    def _events(self, body: dict[str, Any]) -> Iterator[str]:
        num_tokens = body["max_tokens"]
        time.sleep(self.server.first_token_seconds)
        for number in range(num_tokens):
            time.sleep(TOKEN_SECONDS if number else 0)
            yield json.dumps({"choices": [{"text": " word"}]})
        yield json.dumps({"choices": [{"text": "", "finish_reason": "length"}]})
        if self.server.reports_usage:
            num_words = len(body["prompt"].split())
            usage = {"prompt_tokens": num_words, "completion_tokens": num_tokens}
            yield json.dumps({"choices": [], "usage": usage})
        yield "[DONE]"

    def _answer(self, status: int, text: str) -> None:
        payload = text.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the test's own output is what matters."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    FakeServer(parser.parse_args().port).serve_forever()
