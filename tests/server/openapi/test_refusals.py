"""What a body of any route may not ask is refused over HTTP: 400 that names the field."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from reference.discovery import request_bodies
from reference.tables import refused_by
from server.openai.request_model import RequestBody
from server.route_notes import notes_of
from tests.server.openai.support import HELLO, MODEL, ONCE, Bench, fake_engine, says

Json = dict[str, Any]
ASKS = {"anything": "else"}
KNOWN = {"account": "me", "endpoint": "granite", "model": MODEL}
# A body by which a route knows that it is to be this one, where it takes several.
FORMS: dict[str, Json] = {
    "PromptRequest": {"prompt": "Once"},
    "MessagesRequest": {"messages": HELLO["messages"]},
    "BatchRequest": {"requests": [{"prompt": "Once"}]},
    "OpenRouterCompletion": ONCE,
}
# Bodies that are checked within others: which, and how.
WITHIN: dict[str, tuple[str, Callable[[Json], Json]]] = {
    "JobInput": ("JobRequest", lambda fields: {"input": {"prompt": "Once", **fields}}),
    "SamplingFields": (
        "JobRequest",
        lambda fields: {"input": {"prompt": "Once", "sampling_params": fields}},
    ),
    "PromptItem": ("BatchRequest", lambda fields: {"requests": [{"prompt": "Once", **fields}]}),
    "MessagesItem": (
        "BatchRequest",
        lambda fields: {"requests": [{"messages": HELLO["messages"], **fields}]},
    ),
}
OTHER_STATUSES = {("PromptRequest", "lora"): 405, ("MessagesRequest", "lora"): 405}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    bench = Bench.in_directory(tmp_path_factory.mktemp("app"))
    return bench.app(fake_engine(says("Hi")), storage="none")


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def paths_by_body(app: FastAPI) -> dict[str, list[str]]:
    paths: dict[str, list[str]] = {}
    for context in iter_route_contexts(app.routes):
        notes = notes_of(context.endpoint) if context.endpoint else None
        for model in notes.body if notes else ():
            path = (context.path_format or "").format_map(KNOWN)
            paths.setdefault(model.__name__, []).append(path)
    return paths


def asking(model: type[RequestBody], field: str) -> tuple[str, Json]:
    """The name of the body to send, and the body in which the field asks for something."""
    fields = {field: ASKS}
    if model.__name__ in WITHIN:
        outer, wrap = WITHIN[model.__name__]
        return outer, wrap(fields)
    return model.__name__, {**FORMS.get(model.__name__, {}), **fields}


# A look at a batch has one more rule, that nothing goes beside it, and what is left are bases.
BODIES = [model for model in request_bodies() if refused_by(model)]
BODIES.sort(key=lambda model: model.__name__)


@pytest.mark.slow
@pytest.mark.parametrize("model", BODIES, ids=lambda model: model.__name__)
def test_every_route_refuses_it_by_name(
    app: FastAPI, client: TestClient, model: type[RequestBody]
) -> None:
    paths = paths_by_body(app)
    for number, field in enumerate(sorted(refused_by(model))):
        name, body = asking(model, field)
        if field in FORMS.get(model.__name__, {}) or tells_another_form(model, field):
            continue
        known = paths.get(name, [])
        assert known or model.__subclasses__(), "no route takes it"
        for path in known if number == 0 else known[:1]:
            reply = client.post(path, json=body)
            assert reply.status_code == OTHER_STATUSES.get((name, field), 400), (
                path,
                field,
                reply.text,
            )
            assert field in reply.text, (path, field)


def tells_another_form(model: type[RequestBody], field: str) -> bool:
    """Where the field itself is what makes the body another one."""
    is_of_workers = model.__module__.startswith("server.cloudflare")
    return is_of_workers and field in {"prompt", "messages", "requests", "request_id"}
