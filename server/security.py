"""Who may call: API keys, the addresses the server may listen on, the Host names it answers to."""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable

from starlette.requests import Request

from server.errors import HostNotAllowed, InvalidApiKey
from server.settings import InvalidSettings, Settings

ANONYMOUS = "anonymous"
MAX_KEY_LENGTH = 512
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class KeyCheck:
    """A route dependency: lets a request pass and notes whose it is, or raises InvalidApiKey.

    Holds digests only. Every one is compared, so the time taken tells nothing about the keys.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    async def __call__(self, request: Request) -> None:
        headers = request.headers
        request.state.client = self.client(headers.get("authorization"), headers.get("x-api-key"))

    def client(self, authorization: str | None, api_key: str | None = None) -> str:
        """The fairness key of the caller: the digest of its API key, or ANONYMOUS without keys.

        The key may be in either header. If both have one, one that is valid is enough: some
        clients send the key of another service along.
        """
        if not self._digests:
            return ANONYMOUS
        scheme, _, bearer = (authorization or "").partition(" ")
        keys = [bearer if scheme.lower() == "bearer" else "", api_key or ""]
        if not any(keys):
            words = "An API key is needed: send 'Authorization: Bearer KEY' or 'x-api-key: KEY'"
            raise InvalidApiKey(words)
        for key in keys:
            if key and (client := self._client_of(key)) is not None:
                return client
        raise InvalidApiKey("The API key is not valid")

    def _client_of(self, key: str) -> str | None:
        if len(key) > MAX_KEY_LENGTH:
            return None
        digest = hashlib.sha256(key.encode("latin-1")).digest()  # the header's bytes as they came
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return digest.hex() if any(matches) else None


def client_of(request: Request) -> str:
    """The fairness key that KeyCheck noted; fails on a route that it does not guard."""
    client: str = request.state.client
    return client


def check_bind(settings: Settings) -> None:
    """Refuse settings that would open the model to a network by accident.

    Raises:
        InvalidSettings: a non-loopback address without an API key, or an unusable key.
    """
    keys = [key.get_secret_value() for key in settings.api_key]
    if not all(0 < len(key) <= MAX_KEY_LENGTH and key == key.strip() for key in keys):
        raise InvalidSettings(f"--api-key: 1 to {MAX_KEY_LENGTH} characters, no space around them")
    if not (keys or settings.insecure or is_loopback(settings.host)):
        raise InvalidSettings(
            f"--host: anybody who reaches {settings.host} could use the model; "
            "set --api-key, or --insecure if something else guards the port"
        )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HostCheck:
    """Refuses foreign Host names, so that a web page cannot reach a local server by DNS rebinding.

    Off on other addresses unless names are configured: there the operator's DNS decides the names.
    """

    def __init__(self, settings: Settings) -> None:
        is_checked = is_loopback(settings.host) or bool(settings.allowed_host)
        names = (*_LOOPBACK_NAMES, settings.host, *settings.allowed_host)
        self._names = frozenset(name.lower() for name in names) if is_checked else None

    def check(self, host_header: str) -> None:
        """Raises HostNotAllowed."""
        if self._names is not None and _without_port(host_header).lower() not in self._names:
            raise HostNotAllowed("This server does not answer to that Host name")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
