"""GET /openapi.json tells of every route, and of every request model by name."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.testclient import TestClient

from reference.discovery import request_bodies
from server.field_notes import SchemaOf
from server.route_notes import notes_of
from tests.server.openai.support import Bench, fake_engine, says
from tests.server.openapi.conftest import Api, Json


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    bench = Bench.in_directory(tmp_path_factory.mktemp("app"))
    return bench.app(fake_engine(says("Hi")), storage="none")


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    if isinstance(value, list):
        for each in value:
            yield from references(each)


def test_every_route_has_notes(app: FastAPI) -> None:
    """A handler that reads its own body and query is told of by nothing else."""
    routes = [each for each in iter_route_contexts(app.routes) if each.endpoint is not None]
    ours = [
        each
        for each in routes
        if isinstance(each.original_route, APIRoute) and each.include_in_schema
    ]
    assert len(ours) > 50
    assert [each.path for each in ours if each.endpoint and notes_of(each.endpoint) is None] == []


def test_every_request_body_is_that_of_a_route(app: FastAPI) -> None:
    """But for what the models of bodies are made of, and what is checked within them."""
    contexts = iter_route_contexts(app.routes)
    notes = [notes_of(each.endpoint) for each in contexts if each.endpoint is not None]
    taken = {model for each in notes if each is not None for model in each.body}
    within = {
        model
        for body in taken
        for field in body.model_fields.values()
        for note in field.metadata
        if isinstance(note, SchemaOf)
        for model in note.models
    }
    told = {ancestor for model in taken | within for ancestor in model.__mro__}
    nested = {model for model in request_bodies() if model not in told}
    assert {model.__name__ for model in nested} <= NESTED_DEEPER


NESTED_DEEPER = {"SamplingFields", "PromptItem", "MessagesItem"}
"""Within the input of a job, and in lists of requests."""


def test_a_model_is_told_of_with_all_its_fields(api: Api) -> None:
    schemas = api.document["components"]["schemas"]
    for model in request_bodies():
        if model.__name__ in schemas:
            told = schemas[model.__name__]["properties"].keys()
            assert told == {field.alias or name for name, field in model.model_fields.items()}


def test_all_that_is_referred_to_is_there(api: Api) -> None:
    prefix = "#/components/schemas/"
    known = {f"{prefix}{name}" for name in api.document["components"]["schemas"]}
    assert set(references(api.document)) <= known
    assert not [name for name in known if "__" in name], "two models have the same name"


def test_every_operation_says_how_it_fails(api: Api) -> None:
    for name, operation in operations(api.document):
        statuses = operation["responses"].keys()
        assert {"200", "400", "403", "500"} <= statuses, name
        assert "422" not in statuses, name
        if "requestBody" in operation:
            assert "413" in statuses, name


@pytest.mark.parametrize(
    ("operation", "status", "codes"),
    [
        ("post /v1/chat/completions", "404", "model_not_found, not_found"),
        ("post /v1/files", "507", "storage_full"),
        ("post /ai/run/{model}", "408", "slow_reader, queue_timeout, deadline_exceeded"),
        ("post /ai/run/{model}", "429", "overloaded, engine_unavailable, out_of_memory"),
        ("post /v2/{endpoint}/run", "429", "overloaded"),
        ("post /api/v1/completions", "502", "worker_died, numeric_error"),
    ],
)
def test_the_statuses_of_errors_are_those_of_the_dialect(
    api: Api, operation: str, status: str, codes: str
) -> None:
    (told,) = [each for name, each in operations(api.document) if name == operation]
    assert told["responses"][status]["description"] == codes


def test_links_lead_to_routes(api: Api) -> None:
    num_links = 0
    for name, operation in operations(api.document):
        for link in operation["responses"]["200"].get("links", {}).values():
            _, _, path, method = link["operationRef"].split("/")
            target = api.document["paths"][path.replace("~1", "/")][method]
            names = {each["name"] for each in target["parameters"]}
            assert link["parameters"].keys() <= names, name
            num_links += 1
    assert num_links > 10


def test_the_document_needs_the_key_and_says_so(tmp_path: Any) -> None:
    app = Bench.in_directory(tmp_path).app(fake_engine(says("Hi")), api_key=["secret"])
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/openapi.json").status_code == 401
        reply: httpx2.Response = client.get(
            "/openapi.json", headers={"authorization": "Bearer secret"}
        )
        document = reply.json()
    assert document["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    guarded = {name for name, operation in operations(document) if "security" in operation}
    open_to_all = {name for name, _ in operations(document)} - guarded
    assert open_to_all == {"get /health", "get /health/live", "get /health/ready"}
