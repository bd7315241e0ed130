"""HTTP by hand: exact bytes out over a socket, and what came back."""

import json
import socket
import time
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code, after checking that the body has the documented shape and no other."""
        assert self.headers["content-type"] == "application/json"
        assert self.headers["x-content-type-options"] == "nosniff"
        assert len(self.body) <= 4096
        detail = self.json["error"]
        assert set(self.json) == {"error"}
        assert set(detail) == {"message", "type", "param", "code"}
        assert isinstance(detail["code"], str)
        return str(detail["code"])


def connect(port: int, timeout: float = 5.0, receive_bytes: int | None = None) -> socket.socket:
    """With `receive_bytes` the kernel takes in about so much for a client that does not read."""
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(timeout)
    try:
        connection.connect(("127.0.0.1", port))
    except OSError:
        connection.close()
        raise
    return connection


def read_reply(connection: socket.socket, method: str = "GET") -> Reply:
    """The next reply on this connection; raises what http.client does if there is none."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


def exchange(port: int, request: bytes, method: str = "GET") -> Reply:
    with connect(port) as connection:
        connection.sendall(request)
        return read_reply(connection, method)


def get(path: str, *headers: str, method: str = "GET", host: str = "localhost") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def post(path: str, body: bytes, *headers: str, content_type: str = "application/json") -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def is_closed(connection: socket.socket, within: float) -> bool:
    """Whether the server ends the connection in time; what it still sends is thrown away."""
    deadline = time.monotonic() + within
    try:
        while (seconds := deadline - time.monotonic()) > 0:
            connection.settimeout(seconds)
            if not connection.recv(65536):
                return True
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return False
