"""Who gets in: keys, addresses, host names and browser origins."""

import base64
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from server.errors import HostNotAllowed, InvalidApiKey
from server.security import ANONYMOUS, HostCheck, KeyCheck, check_bind
from server.settings import InvalidSettings, Settings
from tests.fakes import FakeEngine
from tests.server.live import running
from tests.server.probe import probe_app
from tests.server.wire import Reply, exchange, get, post

KEYS = ["first-key", "zweiter-schlüssel"]
SECRETS = [SecretStr(key) for key in KEYS]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    settings = Settings(port=0, api_key=SECRETS, cors_origin=["https://app.example"])
    with running(probe_app(FakeEngine(), settings), settings) as port:
        yield port


def bearer(key: str) -> str:
    return f"Authorization: Bearer {key}"


def test_each_key_is_a_client_of_its_own(port: int) -> None:
    clients = [exchange(port, get("/v1/whoami", bearer(key))).json["client"] for key in KEYS]
    assert len(set(clients)) == 2
    assert not any(key in client for key in KEYS for client in clients)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authorization: Bearer",),
        ("Authorization: Bearer ",),
        ("Authorization: first-key",),
        ("Authorization: Basic " + base64.b64encode(b"user:first-key").decode(),),
        ("X-Api-Key: first-ke",),
        ("X-Api-Key: Bearer first-key",),
        ("X-Api-Key: " + "x" * 513,),
        ("X-Api-Key: another", bearer("another")),
        (bearer("first-ke"),),
        (bearer("first-key2"),),
        (bearer("FIRST-KEY"),),
        (bearer("x" * 513),),
        ("Authorization: Bearer first-key, Bearer x",),
    ],
)
def test_anything_but_a_known_key_is_401(port: int, headers: tuple[str, ...]) -> None:
    reply = exchange(port, get("/v1/whoami", *headers))
    assert (reply.status, reply.code) == (401, "invalid_api_key")
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        ("X-Api-Key: first-key",),
        ("X-Api-Key: first-key", "Authorization: Basic " + base64.b64encode(b"user:x").decode()),
        ("X-Api-Key: first-key", bearer("of another service")),
        ("X-Api-Key: of another service", bearer("first-key")),
    ],
)
def test_anthropics_header_has_the_same_keys(port: int, headers: tuple[str, ...]) -> None:
    asked = exchange(port, get("/v1/whoami", *headers))
    assert asked.json == exchange(port, get("/v1/whoami", bearer("first-key"))).json


def test_the_key_is_checked_before_the_body_is_read(port: int) -> None:
    request = post("/v1/echo", b"").replace(b"Length: 0", b"Length: 1000000")
    assert exchange(port, request).status == 401


def test_without_configured_keys_everybody_is_anonymous() -> None:
    assert KeyCheck([]).client(None) == ANONYMOUS
    assert KeyCheck([]).client("Bearer whatever") == ANONYMOUS


def test_every_configured_key_is_compared_even_after_a_match(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append(right)
        return left == right

    keys = KeyCheck(["a", "b", "c"])
    monkeypatch.setattr("server.security.hmac.compare_digest", compare)
    keys.client("Bearer a")
    assert len(compared) == 3
    with pytest.raises(InvalidApiKey):
        keys.client("Bearer x")
    assert len(compared) == 6


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.example"])
def test_an_open_address_needs_a_key_or_an_explicit_wish(host: str) -> None:
    with pytest.raises(InvalidSettings, match="--insecure"):
        check_bind(Settings(host=host))
    check_bind(Settings(host=host, insecure=True))
    check_bind(Settings(host=host, api_key=[SecretStr("key")]))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_loopback_address_needs_no_key(host: str) -> None:
    check_bind(Settings(host=host))


@pytest.mark.parametrize("key", ["", " key", "key\n", "x" * 513])
def test_keys_that_could_never_match_are_refused_at_start(key: str) -> None:
    with pytest.raises(InvalidSettings, match="--api-key"):
        check_bind(
            Settings.model_construct(host="127.0.0.1", insecure=True, api_key=[SecretStr(key)])
        )


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]", "[::1]:8"])
def test_a_loopback_server_answers_to_its_own_names(host: str) -> None:
    HostCheck(Settings()).check(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example", "::1"],
)
def test_a_loopback_server_answers_to_no_other_name(host: str) -> None:
    with pytest.raises(HostNotAllowed):
        HostCheck(Settings()).check(host)


def test_configured_names_are_added_and_bind_an_open_server_to_them() -> None:
    HostCheck(Settings(allowed_host=["box.example"])).check("box.example:80")
    HostCheck(Settings(host="0.0.0.0")).check("any.example")
    with pytest.raises(HostNotAllowed):
        HostCheck(Settings(host="0.0.0.0", allowed_host=["box.example"])).check("any.example")


@pytest.mark.parametrize("host", ["evil.example", "localhost/health?y=", "localhost@evil.example"])
def test_a_foreign_host_is_403_even_with_a_key(port: int, host: str) -> None:
    reply = exchange(port, get("/v1/whoami", bearer(KEYS[0]), host=host))
    assert (reply.status, reply.code) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "path",
    [
        "//v1/whoami",
        "/v1/./whoami",
        "/V1/whoami",
        "/v1/whoami/",
        "/%76%31/whoami",
        "/health/../v1/whoami",
        "/v1/whoami;x",
        "/health%2f..%2fv1/whoami",
        "/metrics",
        "/metrics?x=/health",
        "http://localhost/v1/whoami",
    ],
)
def test_no_spelling_of_a_path_gets_around_the_key(port: int, path: str) -> None:
    assert exchange(port, get(path)).status in (401, 404)


def preflight(port: int, origin: str, method: str = "POST") -> Reply:
    headers = (f"Origin: {origin}", f"Access-Control-Request-Method: {method}")
    return exchange(port, get("/v1/echo", *headers, method="OPTIONS"))


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost", "https://app.example.evil.example"],
)
def test_foreign_origins_are_never_reflected(port: int, origin: str) -> None:
    asked = preflight(port, origin)
    assert asked.status == 405
    got = exchange(port, get("/v1/whoami", bearer(KEYS[0]), f"Origin: {origin}"))
    for reply in (asked, got):
        assert not any(name.startswith("access-control") for name in reply.headers)


def test_a_configured_origin_is_allowed_without_credentials(port: int) -> None:
    reply = preflight(port, "https://app.example")
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in reply.headers


def test_a_refusal_can_be_read_by_the_configured_origin(port: int) -> None:
    reply = exchange(port, get("/v1/whoami", "Origin: https://app.example"))
    assert reply.status == 401
    assert reply.headers["access-control-allow-origin"] == "https://app.example"
