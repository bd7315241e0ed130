"""Every route of the program, and that none but the open ones can be used without a key."""

from collections.abc import Iterator

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr

from server.app import assemble, dialect_routers
from server.settings import Settings
from tests.fakes import FakeEngine
from tests.server.live import running
from tests.server.probe import probe_app
from tests.server.wire import exchange, get, post

KEY = "zweiter-schlüssel"
SECRETS = [SecretStr("first-key"), SecretStr(KEY)]
WITH_KEY = f"Authorization: Bearer {KEY}"

# Every route of the program and whether it is open. A new route has to be entered here.
ROUTES = {
    ("GET", "/health"): "open",
    ("GET", "/health/live"): "open",
    ("GET", "/health/ready"): "open",
    ("GET", "/metrics"): "key",
    ("GET", "/openapi.json"): "key",
    ("GET", "/v1/models"): "key",
    ("POST", "/api/v1/chat/completions"): "key",
    ("POST", "/api/v1/completions"): "key",
    ("POST", "/api/v1/responses"): "key",
    ("GET", "/api/v1/models"): "key",
    ("GET", "/api/v1/models/count"): "key",
    ("GET", "/api/v1/models/user"): "key",
    ("GET", "/api/v1/models/{model_id:path}/endpoints"): "key",
    ("GET", "/api/v1/model/{model_id:path}"): "key",
    ("GET", "/api/v1/key"): "key",
    ("GET", "/api/v1/auth/key"): "key",
    ("GET", "/api/v1/credits"): "key",
    ("GET", "/api/v1/generation"): "key",
    ("GET", "/v1/key"): "key",
    ("GET", "/v1/auth/key"): "key",
    ("GET", "/v1/credits"): "key",
    ("GET", "/v1/generation"): "key",
    ("GET", "/v1/models/{model_id:path}"): "key",
    ("POST", "/ai/run/{model:path}"): "key",
    ("POST", "/client/v4/accounts/{account}/ai/run/{model:path}"): "key",
    ("POST", "/client/v4/accounts/{account}/ai/v1/chat/completions"): "key",
    ("POST", "/client/v4/accounts/{account}/ai/v1/completions"): "key",
    ("POST", "/v2/{endpoint}/run"): "key",
    ("POST", "/v2/{endpoint}/runsync"): "key",
    ("GET", "/v2/{endpoint}/status/{job_id}"): "key",
    ("GET", "/v2/{endpoint}/status-sync/{job_id}"): "key",
    ("GET", "/v2/{endpoint}/stream/{job_id}"): "key",
    ("POST", "/v2/{endpoint}/cancel/{job_id}"): "key",
    ("POST", "/v2/{endpoint}/retry/{job_id}"): "key",
    ("POST", "/v2/{endpoint}/purge-queue"): "key",
    ("GET", "/v2/{endpoint}/health"): "key",
    ("POST", "/v2/{endpoint}/openai/v1/chat/completions"): "key",
    ("POST", "/v2/{endpoint}/openai/v1/completions"): "key",
    ("GET", "/v2/{endpoint}/openai/v1/models"): "key",
    ("POST", "/apply-template"): "key",
    ("GET", "/v1/files"): "key",
    ("GET", "/v1/files/{file_id}"): "key",
    ("GET", "/v1/files/{file_id}/content"): "key",
    ("GET", "/v1/batches"): "key",
    ("GET", "/v1/batches/{batch_id}"): "key",
    ("DELETE", "/v1/files/{file_id}"): "key",
    ("POST", "/v1/batches"): "key",
    ("POST", "/v1/batches/{batch_id}/cancel"): "key",
    ("POST", "/v1/files"): "key",
    ("POST", "/v1/responses"): "key",
    ("POST", "/v1/responses/input_tokens"): "key",
    ("POST", "/v1/responses/{response_id}/cancel"): "key",
    ("GET", "/v1/responses/{response_id}"): "key",
    ("GET", "/v1/responses/{response_id}/input_items"): "key",
    ("DELETE", "/v1/responses/{response_id}"): "key",
    ("POST", "/detokenize"): "key",
    ("POST", "/tokenize"): "key",
    ("POST", "/api/v1/messages"): "key",
    ("POST", "/api/v1/messages/count_tokens"): "key",
    ("POST", "/v1/messages"): "key",
    ("POST", "/v1/messages/count_tokens"): "key",
    ("GET", "/v1/messages/batches"): "key",
    ("POST", "/v1/messages/batches"): "key",
    ("GET", "/v1/messages/batches/{rest:path}"): "key",
    ("POST", "/v1/messages/batches/{rest:path}"): "key",
    ("DELETE", "/v1/messages/batches/{rest:path}"): "key",
    ("POST", "/v1/chat/completions"): "key",
    ("POST", "/v1/completions"): "key",
}


def test_the_inventory_of_routes_is_complete() -> None:
    settings = Settings(api_key=SECRETS)
    app = probe_app(FakeEngine(), settings)
    whole = assemble(app.state.services, dialect_routers(app.state.services))
    found = {
        (method, context.path)
        for context in iter_route_contexts(whole.routes)
        for method in context.methods or ()
    }
    assert found == set(ROUTES)


@pytest.mark.parametrize(("method", "path"), sorted(ROUTES))
def test_every_route_without_a_key_is_what_the_inventory_says(
    whole_port: int, method: str, path: str
) -> None:
    is_open = ROUTES[method, path] == "open"
    path = path.replace("{model_id:path}", "demo")
    request = post(path, b"{}") if method == "POST" else get(path, method=method)
    assert exchange(whole_port, request).status == (200 if is_open else 401)
    with_key = request.replace(b"Host:", WITH_KEY.encode() + b"\r\nHost:")
    assert exchange(whole_port, with_key).status not in (401, 403, 500)


@pytest.fixture(scope="module")
def whole_port() -> Iterator[int]:
    settings = Settings(port=0, api_key=SECRETS)
    services = probe_app(FakeEngine(), settings).state.services
    with running(assemble(services, dialect_routers(services)), settings) as port:
        yield port


@pytest.mark.parametrize(
    "path",
    ["/docs", "/redoc", "/v1/shutdown", "/v1/load", "/server_info", "/debug"],
)
def test_there_is_no_page_and_no_administration(whole_port: int, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        request = get(path, WITH_KEY, method=method)
        assert exchange(whole_port, request).code == "not_found"
